//! What the parent keeps of its worker: the process, how to get another, and what is staged.

use std::thread;
use std::time::Duration;

use ridge_spec::outcome::{Limit, Phase, Rejection};

use super::exchange::{Exchange, Regions};
use super::isolated::IsolationLimits;
use super::process::{Failure, Process, WorkerCommand, put, room};
use super::protocol::{
    ArgumentParts, BufferParts, ContentParts, LaunchParts, Message, Reply, Request,
};
use crate::device::{
    BlockSelection, Buffer, BufferContent, DeviceError, Execution, ExecutionReport, OutputBuffer,
};
use crate::measure::{DeviceFacts, Layout, StageRequest};
use crate::verify::Launch;

/// Pause before a worker that did not start is tried again; each time twice as long.
const START_PAUSE: Duration = Duration::from_millis(200);

/// Times a stage is tried, each but the first in a new worker.
const STAGE_TRIES: u32 = 2;

/// What a candidate's request came to: an answer, the candidate's rejection, or no device.
pub(super) type Asked<T> = Result<Result<T, Box<Rejection>>, DeviceError>;

/// A stage, as the parent keeps it to restore it.
pub(super) struct Staged {
    /// Its number: another for each stage of a device.
    pub(super) id: u64,
    /// Its tensors.
    pub(super) request: StageRequest,
}

/// The worker, and how to get another.
pub(super) struct Host {
    command: WorkerCommand,
    device: String,
    limits: IsolationLimits,
    /// What every replacement must say of itself: with a device less, names may shift.
    facts: DeviceFacts,
    process: Option<Process>,
    /// Which stage the worker holds undamaged, and where it lies.
    staged: Option<(u64, Layout)>,
}

/// A limit of a request, and what is said of a candidate that exceeds it.
#[derive(Clone, Copy)]
pub(super) struct RequestLimit {
    /// What the candidate may take.
    pub(super) candidate: Duration,
    /// Bytes that are exchanged for it besides.
    pub(super) bytes: u64,
}

impl RequestLimit {
    /// How long the parent waits: transfers at a slow 1 GB/s, and a second for all the rest.
    fn wait(self) -> Duration {
        self.candidate
            .saturating_add(Duration::from_nanos(self.bytes))
            .saturating_add(Duration::from_secs(1))
    }
}

impl Host {
    pub(super) fn new(
        command: WorkerCommand,
        device: String,
        limits: IsolationLimits,
        process: Process,
    ) -> Self {
        let facts = process.facts.clone();
        Self { command, device, limits, facts, process: Some(process), staged: None }
    }

    pub(super) fn worker_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// What is on the device may be damaged.
    pub(super) fn spoil_stage(&mut self) {
        self.staged = None;
    }

    /// Gives up the worker.
    pub(super) fn discard(&mut self) {
        self.process = None;
        self.staged = None;
    }

    /// Gives up a worker that has run a candidate.
    pub(super) fn discard_used(&mut self) {
        if self.process.as_ref().is_some_and(|process| process.has_run) {
            self.discard();
        }
    }

    /// A worker that waits for a request.
    pub(super) fn ready(&mut self) -> Result<&mut Process, DeviceError> {
        let is_waiting = self.process.as_mut().is_some_and(Process::is_waiting);
        let process = match self.process.take().filter(|_| is_waiting) {
            Some(process) => process,
            None => self.replacement()?,
        };
        Ok(self.process.insert(process))
    }

    fn replacement(&mut self) -> Result<Process, DeviceError> {
        self.discard();
        let mut reason = String::new();
        let mut pause = START_PAUSE;
        for start in 0..self.limits.starts.max(1) {
            if start > 0 {
                thread::sleep(pause);
                pause *= 2;
            }
            match Process::start(&self.command, &self.device, self.limits.start) {
                Ok(process) if process.facts == self.facts => return Ok(process),
                Ok(process) => {
                    let found = &process.facts.name;
                    reason = format!("in its place there is another device, `{found}`");
                }
                Err(message) => reason = message,
            }
        }
        Err(DeviceError::Lost { reason })
    }

    /// Sees to it that a worker holds the stage, undamaged; where it then lies.
    pub(super) fn hold(&mut self, wanted: &Staged) -> Result<Layout, DeviceError> {
        let mut reason = String::new();
        for _ in 0..STAGE_TRIES {
            self.ready()?;
            if let Some((id, layout)) = &self.staged
                && *id == wanted.id
            {
                return Ok(layout.clone());
            }
            self.staged = None;
            match self.put_stage(wanted)? {
                Ok(layout) => {
                    self.staged = Some((wanted.id, layout.clone()));
                    return Ok(layout);
                }
                Err(message) => reason = message,
            }
            self.discard();
        }
        Err(DeviceError::Lost { reason })
    }

    /// Stages once; the inner error says why the worker is not to be used again.
    fn put_stage(&mut self, wanted: &Staged) -> Result<Result<Layout, String>, DeviceError> {
        let limit = self.limits.stage;
        let process = self.ready()?;
        let mut regions = Regions::default();
        let request =
            stage_request(&process.exchange, &mut regions, wanted).map_err(no_exchange)?;
        let message = match process.ask(&request, regions, limit, |_| {}) {
            Ok(reply) => reply.message,
            Err(Failure::TimedOut) => {
                return Ok(Err(format!("its worker did not stage the tensors in {limit:?}")));
            }
            Err(Failure::Crashed(message)) => return Ok(Err(message)),
            Err(Failure::Exchange(error)) => return Err(no_exchange(Failure::Exchange(error))),
        };
        match message {
            Message::Staged { layout } if is_layout_of(&layout, &wanted.request) => Ok(Ok(layout)),
            Message::Lost { reason } => Ok(Err(reason)),
            Message::Invalid { entry, reason } => {
                Err(DeviceError::InvalidExecution { entry, reason })
            }
            Message::Staged { .. }
            | Message::Progress { .. }
            | Message::Executed { .. }
            | Message::Evaluated { .. }
            | Message::Contested { .. } => Ok(Err("its worker staged something else".to_owned())),
        }
    }

    /// Asks for something that runs a candidate. `phase` is what it begins with.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        regions: Regions,
        limit: RequestLimit,
        mut phase: Phase,
    ) -> Asked<Reply> {
        let Some(process) = self.process.as_mut() else {
            return Err(DeviceError::Lost { reason: "there is no worker".to_owned() });
        };
        process.has_run = true;
        let failure = match process.ask(request, regions, limit.wait(), |next| phase = next) {
            Ok(Reply { message: Message::Lost { reason }, .. }) => {
                // With the device there again, it was the candidate that took it away.
                self.process = Some(self.replacement()?);
                return Ok(Err(crash(phase, reason)));
            }
            Ok(Reply { message: Message::Invalid { entry, reason }, usable, .. }) => {
                self.settle(usable);
                return Err(DeviceError::InvalidExecution { entry, reason });
            }
            Ok(reply) => return Ok(Ok(reply)),
            Err(failure) => failure,
        };
        self.discard();
        match failure {
            Failure::TimedOut => Ok(Err(Box::new(Rejection::Timeout {
                phase,
                limit: Some(Limit::TimeNs(nanoseconds(limit.candidate))),
                finding: None,
            }))),
            Failure::Crashed(message) => Ok(Err(crash(phase, message))),
            Failure::Exchange(error) => Err(no_exchange(Failure::Exchange(error))),
        }
    }

    /// After an answer has been looked at: gives up a worker whose device is used up.
    pub(super) fn settle(&mut self, usable: bool) {
        if !usable {
            self.discard();
        }
    }

    /// The rejection of a candidate whose worker's answer makes no sense.
    pub(super) fn nonsense(&mut self, phase: Phase, what: &str) -> Box<Rejection> {
        self.discard();
        crash(phase, format!("the worker answered nonsense: {what}"))
    }

    /// The exchange file of the worker at hand.
    pub(super) fn exchange(&self) -> Result<&Exchange, DeviceError> {
        let process = self.process.as_ref();
        process
            .map(|process| &process.exchange)
            .ok_or_else(|| DeviceError::Lost { reason: "there is no worker".to_owned() })
    }

    /// Runs one launch.
    pub(super) fn execute(
        &mut self,
        execution: &Execution<'_>,
    ) -> Result<ExecutionReport, DeviceError> {
        let exchange = &self.ready()?.exchange;
        let mut regions = Regions::default();
        let buffers = execution.buffers.iter();
        let buffers: Vec<BufferParts> = buffers
            .map(|buffer| buffer_parts(exchange, &mut regions, buffer))
            .collect::<Result<_, _>>()
            .map_err(no_exchange)?;
        let launch = Launch {
            artifact: execution.artifact,
            config: execution.launch,
            arguments: execution.arguments,
        };
        let launch = launch_parts(exchange, &mut regions, &launch).map_err(no_exchange)?;
        let sampled = match execution.blocks {
            BlockSelection::All => None,
            BlockSelection::Sampled(n) => Some(n),
        };
        let instructions_per_block = execution.instructions_per_block;
        let request = Request::Execute { launch, buffers, sampled, instructions_per_block };
        let limit = RequestLimit { candidate: self.limits.execute, bytes: regions.end() };
        let reply = match self.ask(&request, regions, limit, Phase::Verify)? {
            Ok(reply) => reply,
            Err(rejection) => return Ok(refused(execution, *rejection)),
        };
        let Message::Executed { counters, findings, blocks_run, refused: refusal } = reply.message
        else {
            let rejection = self.nonsense(Phase::Verify, "no report of an execution");
            return Ok(refused(execution, *rejection));
        };
        let Request::Execute { buffers, .. } = &request else {
            return Ok(ExecutionReport::default());
        };
        let outputs = match read_outputs(self.exchange()?, buffers) {
            Ok(outputs) => outputs,
            Err(error) => {
                let rejection = self.nonsense(Phase::Verify, &error.to_string());
                return Ok(refused(execution, *rejection));
            }
        };
        if refusal.is_some() || !findings.is_empty() {
            self.spoil_stage();
        }
        self.settle(reply.usable);
        let counters = counters.map(|counters| *counters);
        Ok(ExecutionReport { outputs, counters, findings, blocks_run, refused: refusal })
    }
}

/// Puts a launch's binaries into the exchange file.
pub(super) fn launch_parts(
    exchange: &Exchange,
    regions: &mut Regions,
    launch: &Launch<'_>,
) -> Result<LaunchParts, Failure> {
    Ok(LaunchParts {
        manifest: launch.artifact.manifest.clone(),
        ptx: put(exchange, regions, launch.artifact.ptx.as_bytes())?,
        cubin: put(exchange, regions, &launch.artifact.cubin)?,
        config: launch.config,
        arguments: launch.arguments.iter().map(ArgumentParts::of).collect(),
    })
}

/// The device's error for a failure to write to the exchange file.
pub(super) fn no_exchange(failure: Failure) -> DeviceError {
    let reason = match failure {
        Failure::Exchange(error) => format!("no room to exchange tensors with it: {error}"),
        Failure::Crashed(message) => message,
        Failure::TimedOut => "its worker does not answer".to_owned(),
    };
    DeviceError::Lost { reason }
}

fn crash(phase: Phase, message: String) -> Box<Rejection> {
    Box::new(Rejection::Crash { phase, message, finding: None })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn stage_request(
    exchange: &Exchange,
    regions: &mut Regions,
    wanted: &Staged,
) -> Result<Request, Failure> {
    let StageRequest { tensors, contents, rotation_bytes, flush_bytes } = &wanted.request;
    // Sets may share tensors.
    let mut known = Vec::new();
    let mut one = |bytes: &std::sync::Arc<[u8]>| {
        let place = (bytes.as_ptr(), bytes.len());
        if let Some((_, region)) = known.iter().find(|(other, _)| *other == place) {
            return Ok(*region);
        }
        let region = put(exchange, regions, bytes)?;
        known.push((place, region));
        Ok(region)
    };
    let contents = contents.iter().map(|set| set.iter().map(&mut one).collect());
    Ok(Request::Stage {
        contents: contents.collect::<Result<_, Failure>>()?,
        tensors: tensors.clone(),
        rotation_bytes: *rotation_bytes,
        flush_bytes: *flush_bytes,
    })
}

/// Whether it lays out the tensors asked for, perhaps in fewer sets.
fn is_layout_of(layout: &Layout, request: &StageRequest) -> bool {
    let full = Layout::new(request.tensors.clone(), request.rotation_bytes);
    let offsets = |layout: &Layout| -> Vec<Option<u64>> {
        (0..=request.tensors.len()).map(|at| layout.offset(at)).collect()
    };
    layout.tensors() == full.tensors()
        && offsets(layout) == offsets(&full)
        && layout.set_bytes() == full.set_bytes()
        && (2..=full.n_sets()).contains(&layout.n_sets())
}

fn buffer_parts(
    exchange: &Exchange,
    regions: &mut Regions,
    buffer: &Buffer,
) -> Result<BufferParts, Failure> {
    let size = buffer.content.size_bytes();
    let words = size.div_ceil(64).saturating_mul(8);
    let content = match &buffer.content {
        BufferContent::Input(bytes) => {
            ContentParts::Input { before: put(exchange, regions, bytes)? }
        }
        BufferContent::Output { .. } => ContentParts::Output {
            after: room(exchange, regions, size)?,
            written: room(exchange, regions, words)?,
        },
        BufferContent::InOut(bytes) => ContentParts::InOut {
            before: put(exchange, regions, bytes)?,
            after: room(exchange, regions, size)?,
            written: room(exchange, regions, words)?,
        },
    };
    let (name, constant) = (buffer.name.clone(), buffer.constant);
    Ok(BufferParts { name, dtype: buffer.dtype, content, constant })
}

fn read_outputs(
    exchange: &Exchange,
    buffers: &[BufferParts],
) -> std::io::Result<Vec<OutputBuffer>> {
    let outputs = buffers.iter().filter_map(|buffer| match buffer.content {
        ContentParts::Input { .. } => None,
        ContentParts::Output { after, written } | ContentParts::InOut { after, written, .. } => {
            Some((buffer.name.clone(), after, written))
        }
    });
    outputs
        .map(|(name, after, written)| {
            let bytes = exchange.read_region(after)?;
            let words = exchange.read_region(written)?;
            let (words, _) = words.as_chunks::<8>();
            let written = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
            Ok(OutputBuffer { name, bytes, written })
        })
        .collect()
}

/// The report of an execution that the worker did not survive: outputs that nobody wrote.
fn refused(execution: &Execution<'_>, rejection: Rejection) -> ExecutionReport {
    let outputs = execution.buffers.iter().filter_map(|buffer| {
        let bytes = match &buffer.content {
            BufferContent::Input(_) => return None,
            BufferContent::Output { size_bytes } => {
                vec![0; usize::try_from(*size_bytes).unwrap_or(0)]
            }
            BufferContent::InOut(bytes) => bytes.to_vec(),
        };
        let written = vec![0; bytes.len().div_ceil(64)];
        Some(OutputBuffer { name: buffer.name.clone(), bytes, written })
    });
    let outputs = outputs.collect();
    ExecutionReport { outputs, refused: Some(rejection), ..ExecutionReport::default() }
}
