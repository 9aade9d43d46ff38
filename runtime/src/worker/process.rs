//! A worker process as its parent sees it: started, asked, and killed.
//!
//! Nothing it says is believed: lines are bounded, and lengths are never its own.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ridge_spec::outcome::Phase;
use rustix::process::{Pid, Signal, kill_process_group};

use super::exchange::{Exchange, Region, Regions};
use super::protocol::{Call, Greeting, Message, Reply, Request, Setup};
use crate::measure::DeviceFacts;

/// Longest line that is read, bytes.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// Lines that wait to be looked at; a worker that says more waits itself.
const LINES_MAX: usize = 64;

/// What a dying worker said that is kept: the end, bytes.
const WORDS_BYTES_MAX: usize = 2048;

/// Time that a worker without output has to end by itself, and its last words to arrive.
const LAST_MOMENTS: Duration = Duration::from_millis(300);

/// Lets glibc's allocator keep the memory of images for the next ones: new pages cost more than all
/// else that is done with an image. Other allocators know nothing of it.
const ALLOCATOR: [(&str, &str); 2] =
    [("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "8589934592")];

/// How often it is looked at whether a worker that says nothing lives.
const LIFE_POLL: Duration = Duration::from_millis(100);

/// Time that a killed process has to go: a driver that takes a context down takes seconds.
const KILL_LIMIT: Duration = Duration::from_secs(30);

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program, which calls [`serve_stdio`](super::serve_stdio).
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It took too long.
    TimedOut,
    /// It died, or said what it should not: what happened, with its last words.
    Crashed(String),
    /// The exchange file cannot be written: nobody's fault.
    Exchange(io::Error),
}

/// A running worker with its exchange file. Dropping it kills it.
pub(super) struct Process {
    pub(super) exchange: Exchange,
    /// What it said when it started.
    pub(super) name: String,
    pub(super) facts: DeviceFacts,
    /// Whether it has run a candidate.
    pub(super) has_run: bool,
    child: Child,
    group: Option<Pid>,
    input: ChildStdin,
    lines: Receiver<Line>,
    words: Arc<Mutex<VecDeque<u8>>>,
    words_end: Receiver<()>,
    n_requests: u64,
    /// Holds the thread that started the child: the child dies with it.
    _starter: Sender<()>,
}

enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl Process {
    /// Starts a worker and waits until its device is open. The error is one clause.
    pub(super) fn start(
        command: &WorkerCommand,
        device: &str,
        limit: Duration,
    ) -> Result<Self, String> {
        let (exchange, path) =
            Exchange::create().map_err(|error| format!("no file for exchange: {error}"))?;
        let (starter, released) = channel();
        let (sender, lines) = sync_channel(LINES_MAX);
        let mut child = spawn(command.clone(), sender, released)
            .map_err(|error| format!("`{}` does not start: {error}", command.program.display()))?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let (end, words_end) = channel();
        if let Some(stderr) = child.stderr.take() {
            let words = Arc::clone(&words);
            thread::spawn(move || keep_last(stderr, &words, end));
        }
        let Some(input) = child.stdin.take() else {
            return Err("its standard input is not there".to_owned());
        };
        let mut process = Self {
            exchange,
            name: String::new(),
            facts: no_facts()?,
            has_run: false,
            child,
            group,
            input,
            lines,
            words,
            words_end,
            n_requests: 0,
            _starter: starter,
        };
        let setup = Setup { device: device.to_owned(), exchange: path.to_path_buf() };
        let greeting = process.greet(&setup, limit);
        drop(path);
        match greeting? {
            Greeting::Ready { name, facts } => {
                (process.name, process.facts) = (name, facts);
                Ok(process)
            }
            Greeting::Failed { reason } => Err(reason),
        }
    }

    fn greet(&mut self, setup: &Setup, limit: Duration) -> Result<Greeting, String> {
        let describe = |failure| match failure {
            Failure::TimedOut => format!("its worker did not get ready in {limit:?}"),
            Failure::Crashed(message) => message,
            Failure::Exchange(error) => error.to_string(),
        };
        self.send(setup).map_err(describe)?;
        let line = self.line(Instant::now(), limit).map_err(describe)?;
        serde_json::from_slice(&line)
            .map_err(|error| describe(self.nonsense(&format!("does not greet: {error}"))))
    }

    /// The worker's process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it waits for a request: it lives, and has said nothing that was not asked for.
    pub(super) fn is_waiting(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
            && matches!(self.lines.try_recv(), Err(TryRecvError::Empty))
    }

    /// Sends a request, whose tensors lie in `regions`, and waits for the answer.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        mut regions: Regions,
        limit: Duration,
        mut entered: impl FnMut(Phase),
    ) -> Result<Reply, Failure> {
        let request =
            serde_json::to_vec(request).map_err(|error| Failure::Exchange(error.into()))?;
        let region = put(&self.exchange, &mut regions, &request)?;
        self.n_requests += 1;
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.send(&Call { id: self.n_requests, request: region })?;
        let since = Instant::now();
        loop {
            let line = self.line(since, limit)?;
            let reply: Reply = serde_json::from_slice(&line)
                .map_err(|error| self.nonsense(&format!("answered nonsense: {error}")))?;
            if reply.id != self.n_requests {
                return Err(self.nonsense("answered what was not asked"));
            }
            match reply.message {
                Message::Progress { phase } => entered(phase),
                _ => return Ok(reply),
            }
        }
    }

    fn send(&mut self, message: &impl serde::Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(message).unwrap_or_default();
        line.push(b'\n');
        let sent = self.input.write_all(&line).and_then(|()| self.input.flush());
        sent.map_err(|_| self.post_mortem())
    }

    fn line(&mut self, since: Instant, limit: Duration) -> Result<Vec<u8>, Failure> {
        let mut has_ended = false;
        loop {
            let left = limit.saturating_sub(since.elapsed());
            match self.lines.recv_timeout(left.min(LIFE_POLL)) {
                Ok(Line::Text(line)) => return Ok(line),
                Ok(Line::TooLong) => return Err(self.nonsense("answered without end")),
                Err(RecvTimeoutError::Disconnected) => return Err(self.post_mortem()),
                // What it said last has been read by now, even if others hold its output open.
                Err(RecvTimeoutError::Timeout) if has_ended => return Err(self.post_mortem()),
                Err(RecvTimeoutError::Timeout) if left <= LIFE_POLL => {
                    return Err(Failure::TimedOut);
                }
                Err(RecvTimeoutError::Timeout) => {
                    has_ended = !matches!(self.child.try_wait(), Ok(None));
                }
            }
        }
    }

    /// The failure of a worker that said what it should not.
    pub(super) fn nonsense(&mut self, what: &str) -> Failure {
        self.kill();
        Failure::Crashed(format!("the worker {what}"))
    }

    /// Why a worker closed its output.
    fn post_mortem(&mut self) -> Failure {
        let how = match self.wait(LAST_MOMENTS) {
            Some(status) => describe(status),
            None => "closed its output".to_owned(),
        };
        self.kill();
        let _said_or_not = self.words_end.recv_timeout(LAST_MOMENTS);
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(words.make_contiguous()).into_owned();
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        Failure::Crashed(match words.is_empty() {
            true => format!("the worker {how}"),
            false => format!("the worker {how}: {words}"),
        })
    }

    /// Waits for the process to end.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let since = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if since.elapsed() < limit => thread::sleep(pause),
                Ok(None) | Err(_) => return None,
            }
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// Kills the process and those it started.
    fn kill(&mut self) {
        if let Some(group) = self.group {
            let _nobody_left = kill_process_group(group, Signal::KILL);
        }
        let _already_dead = self.child.kill();
        if self.wait(KILL_LIMIT).is_some() {
            // The number may be another's from now on.
            self.group = None;
        } else {
            tracing::warn!(worker = self.child.id(), "a killed worker does not end");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes bytes to the next region.
pub(super) fn put(
    exchange: &Exchange,
    regions: &mut Regions,
    bytes: &[u8],
) -> Result<Region, Failure> {
    let region = room(exchange, regions, bytes.len() as u64)?;
    exchange.write(region.offset, bytes).map_err(Failure::Exchange)?;
    Ok(region)
}

/// Makes room for what the worker will write.
pub(super) fn room(
    exchange: &Exchange,
    regions: &mut Regions,
    bytes: u64,
) -> Result<Region, Failure> {
    let too_large = || Failure::Exchange(io::Error::from(io::ErrorKind::FileTooLarge));
    let region = regions.take(bytes).ok_or_else(too_large)?;
    exchange.reserve(regions.end()).map_err(Failure::Exchange)?;
    Ok(region)
}

/// What stands in for the facts until the worker has said them.
fn no_facts() -> Result<DeviceFacts, String> {
    let architecture = ridge_spec::target::Architecture::parse("sm_90");
    Ok(DeviceFacts {
        name: String::new(),
        architecture: architecture.ok_or("`sm_90` is no architecture")?,
        driver: String::new(),
        cuda_version: 0,
        multiprocessors: 0,
        l2_bytes: 0,
        memory_bytes: 0,
    })
}

/// Starts the child on a thread that then reads its lines and stays until it is released: the
/// child has asked to die with the thread that started it.
fn spawn(
    command: WorkerCommand,
    lines: SyncSender<Line>,
    released: Receiver<()>,
) -> io::Result<Child> {
    let (sender, started) = channel();
    thread::Builder::new().name("worker-lines".to_owned()).spawn(move || {
        let child = Command::new(&command.program)
            .args(&command.arguments)
            .envs(ALLOCATOR)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let (child, output) = match child {
            Ok(mut child) => {
                let output = child.stdout.take();
                (Ok(child), output)
            }
            Err(error) => (Err(error), None),
        };
        if sender.send(child).is_ok()
            && let Some(output) = output
        {
            read_lines(output, lines);
            let _released = released.recv();
        }
    })?;
    started.recv().map_err(io::Error::other)?
}

fn read_lines(output: ChildStdout, lines: SyncSender<Line>) {
    let mut output = BufReader::with_capacity(64 << 10, output);
    loop {
        let mut line = Vec::new();
        match output.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // A line without its end: the worker died over it, or will not end it.
        let line = match line.pop() {
            Some(b'\n') => Line::Text(line),
            _ if line.len() as u64 + 1 >= LINE_BYTES_MAX => Line::TooLong,
            _ => return,
        };
        if lines.send(line).is_err() {
            return;
        }
    }
}

/// Reads to the end and keeps the last part.
fn keep_last(mut from: impl Read, words: &Mutex<VecDeque<u8>>, end: Sender<()>) {
    let mut piece = [0; 1024];
    while let Ok(n @ 1..) = from.read(&mut piece) {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(&piece[..n]);
        let surplus = words.len().saturating_sub(WORDS_BYTES_MAX);
        words.drain(..surplus);
    }
    let _nobody_waits = end.send(());
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => match signal_name(signal) {
            Some(name) => format!("was killed by signal {signal} ({name})"),
            None => format!("was killed by signal {signal}"),
        },
        (None, Some(code)) => format!("ended with exit status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Signals that workers die of.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match Signal::from_named_raw(signal)? {
        Signal::ABORT => "SIGABRT",
        Signal::BUS => "SIGBUS",
        Signal::FPE => "SIGFPE",
        Signal::ILL => "SIGILL",
        Signal::KILL => "SIGKILL",
        Signal::SEGV => "SIGSEGV",
        Signal::TERM => "SIGTERM",
        Signal::TRAP => "SIGTRAP",
        _ => return None,
    })
}
