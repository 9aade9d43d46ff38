//! One slot: a worker process and the thread that reads from it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ridge_spec::artifact::Artifact;
use ridge_spec::outcome::{Limit, Phase, Rejection};

use super::{Compilation, PoolConfig, PoolError};
use crate::cuda::Unit;
use crate::worker::protocol::{Answer, Greeting, Setup, from_hex};

/// Time to load NVRTC: a cold disk reads its 110 MB slowly.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How often a waiting slot looks whether its pool is being dropped.
const CLOSE_POLL: Duration = Duration::from_millis(50);

/// What a dying worker said that is kept, at most.
const STDERR_BYTES_MAX: u64 = 4096;

/// A place in the pool; its process is started on first use and after each death.
pub(super) struct Slot {
    config: Arc<PoolConfig>,
    /// Set when the pool is dropped: whatever is being compiled is given up.
    closed: Arc<AtomicBool>,
    process: Option<Process>,
}

impl Slot {
    pub(super) fn new(config: Arc<PoolConfig>, closed: Arc<AtomicBool>) -> Self {
        Self { config, closed, process: None }
    }

    /// Compiles one unit. A worker that hangs or dies over it is the candidate's rejection.
    pub(super) fn compile(&mut self, unit: &Unit) -> Compilation {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.config, &self.closed)?,
        };
        let request = serde_json::to_vec(unit).unwrap_or_default();
        let line = match process.ask(&request, self.config.time_limit, &self.closed) {
            Ok(line) => line,
            Err(Silence::TimedOut) => {
                return Ok(Err(ran_out(Limit::TimeNs(nanoseconds(self.config.time_limit)))));
            }
            Err(Silence::Closed) => return Err(self.worker_error("the pool is closed")),
            Err(Silence::Died) => return Ok(Err(self.post_mortem(process))),
        };
        let answer = serde_json::from_str(&line)
            .map_err(|error| self.worker_error(&format!("it answered nonsense: {error}")))?;
        match answer {
            Answer::Artifact { manifest, ptx, cubin } => {
                let cubin = from_hex(&cubin)
                    .ok_or_else(|| self.worker_error("its answer holds no device binary"))?;
                self.process = Some(process);
                Ok(Ok(Artifact::new(manifest, ptx, cubin)))
            }
            Answer::Rejected { rejection } => {
                if self.config.memory_limit_bytes > 0 && is_out_of_memory(&rejection) {
                    return Ok(Err(ran_out(Limit::MemoryBytes(self.config.memory_limit_bytes))));
                }
                self.process = Some(process);
                Ok(Err(rejection))
            }
            // The compiler's state is unknown after that: the process is not used again.
            Answer::Failed { message } => Ok(Err(self.crash(message))),
        }
    }

    /// Why a worker died.
    fn post_mortem(&self, mut process: Process) -> Rejection {
        let status = process.child.wait();
        let said = process.last_words();
        let how = match status {
            Ok(status) => describe(status),
            Err(error) => error.to_string(),
        };
        self.crash(match said.is_empty() {
            true => format!("the compiler {how}"),
            false => format!("the compiler {how}: {said}"),
        })
    }

    /// A crash, unless its message shows that memory ran out.
    fn crash(&self, message: String) -> Rejection {
        let signs = ["bad_alloc", "OUT_OF_MEMORY", "out of memory", "memory allocation of"];
        if self.config.memory_limit_bytes > 0 && signs.iter().any(|sign| message.contains(sign)) {
            return ran_out(Limit::MemoryBytes(self.config.memory_limit_bytes));
        }
        Rejection::Crash { phase: Phase::Compile, message, finding: None }
    }

    fn worker_error(&self, message: &str) -> PoolError {
        worker_error(&self.config, message)
    }
}

/// NVRTC's front end reports exhausted memory as if it were an error of the source.
fn is_out_of_memory(rejection: &Rejection) -> bool {
    let Rejection::Compile { diagnostics, .. } = rejection else { return false };
    diagnostics.iter().any(|diagnostic| diagnostic.message == "out of memory")
}

fn ran_out(limit: Limit) -> Rejection {
    Rejection::Timeout { phase: Phase::Compile, limit: Some(limit), finding: None }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("ended with exit status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

fn worker_error(config: &PoolConfig, message: &str) -> PoolError {
    PoolError::Worker {
        program: config.worker.program.display().to_string(),
        message: message.to_owned(),
    }
}

/// Why a worker did not answer.
enum Silence {
    TimedOut,
    Died,
    Closed,
}

/// A running worker. Dropping it kills it.
struct Process {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
}

impl Process {
    fn start(config: &PoolConfig, closed: &AtomicBool) -> Result<Self, PoolError> {
        let failed = |error: std::io::Error| worker_error(config, &error.to_string());
        let mut child = Command::new(&config.worker.program)
            .args(&config.worker.arguments)
            // NVRTC takes flags from variables; what is compiled is decided by the unit alone.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output), stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(worker_error(config, "its standard streams are not there"));
        };
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let stderr = stderr.map(|stderr| thread::spawn(move || read_some(stderr)));
        let mut process = Self { child, input, lines, stderr };
        process.greet(config, closed)?;
        Ok(process)
    }

    fn greet(&mut self, config: &PoolConfig, closed: &AtomicBool) -> Result<(), PoolError> {
        let setup = Setup {
            toolkit: config.toolkit.clone(),
            memory_limit_bytes: config.memory_limit_bytes,
        };
        let line = serde_json::to_vec(&setup).unwrap_or_default();
        let answer = match self.ask(&line, START_LIMIT, closed) {
            Ok(answer) => answer,
            Err(Silence::TimedOut) => {
                return Err(worker_error(config, "it does not get ready in two minutes"));
            }
            Err(Silence::Closed) => return Err(worker_error(config, "the pool is closed")),
            Err(Silence::Died) => {
                let how = self.child.wait().map_or_else(|error| error.to_string(), describe);
                let said = self.last_words();
                return Err(worker_error(config, &format!("it {how}: {said}")));
            }
        };
        match serde_json::from_str(&answer) {
            Ok(Greeting::Ready) => Ok(()),
            Ok(Greeting::Failed { message }) => Err(PoolError::Toolkit {
                toolkit: config.toolkit.nvrtc.display().to_string(),
                message,
            }),
            Err(_) => Err(worker_error(config, "it does not speak the protocol")),
        }
    }

    /// Sends a line and waits for one.
    fn ask(
        &mut self,
        request: &[u8],
        limit: Duration,
        closed: &AtomicBool,
    ) -> Result<String, Silence> {
        let sent = self
            .input
            .write_all(request)
            .and_then(|()| self.input.write_all(b"\n"))
            .and_then(|()| self.input.flush());
        if sent.is_err() {
            return Err(Silence::Died);
        }
        let started = Instant::now();
        loop {
            let left = limit.saturating_sub(started.elapsed());
            match self.lines.recv_timeout(left.min(CLOSE_POLL)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Died),
                Err(RecvTimeoutError::Timeout) if closed.load(Ordering::Relaxed) => {
                    return Err(Silence::Closed);
                }
                Err(RecvTimeoutError::Timeout) if left <= CLOSE_POLL => {
                    return Err(Silence::TimedOut);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What a dead worker wrote to its standard error, in one line.
    fn last_words(&mut self) -> String {
        let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _already_dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads to the end and keeps the beginning.
fn read_some(mut from: ChildStderr) -> String {
    let mut kept = Vec::new();
    let _torn = from.by_ref().take(STDERR_BYTES_MAX).read_to_end(&mut kept);
    let _drained = std::io::copy(&mut from, &mut std::io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}
