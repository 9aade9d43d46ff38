//! The emulator as a device.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use ridge_spec::artifact::Artifact;
use ridge_spec::counters::Counters;
use ridge_spec::digest::Digest;
use ridge_spec::outcome::{Finding, PtxInstruction};

use super::decode::program::{Program, Refused};
use super::launch::{self, Units};
use super::machine::{
    BlockMachine, CALL_DEPTH_MAX, ClusterMachine, EventLog, LaunchValues, block_of_cluster,
};
use super::memory::{BlockMemory, BlockShape, FaultLog, GlobalMemory};
use super::ptx;
use super::report::{self, Reporter};
use crate::device::{
    BlockSelection, BufferContent, Device, DeviceError, Execution, ExecutionReport, OutputBuffer,
};

/// Decoded programs kept.
const PROGRAMS_KEPT: usize = 64;

/// Least compute capability, times ten, on which a launch may begin before the one before it has
/// ended (CUDA C++ Programming Guide, "Programmatic Dependent Launch and Synchronization").
const OVERLAP_CAPABILITY: u16 = 90;

/// Stack of a thread of a kernel that calls functions, bytes beyond its own frame.
const CALL_STACK_BYTES: u64 = 16 << 10;

/// How the emulator runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmulatorOptions {
    /// Blocks run at a time; `None` for as many as rayon has threads.
    pub threads: Option<usize>,
}

/// The device that runs PTX on the host and checks every access.
#[derive(Default)]
pub struct Emulator {
    pool: Option<rayon::ThreadPool>,
    programs: Mutex<BTreeMap<Digest, Decoded>>,
}

type Decoded = Arc<Result<Program, Vec<Refused>>>;

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl Emulator {
    /// An emulator on all of rayon's threads.
    pub fn new() -> Self {
        Self::default()
    }

    /// An emulator with options. Where its own threads cannot be started, it uses rayon's.
    pub fn with_options(options: EmulatorOptions) -> Self {
        let pool = options.threads.and_then(|threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build().ok()
        });
        Self { pool, programs: Mutex::default() }
    }

    /// The decoded kernel of an artifact, from the cache where it is there.
    fn program(&self, artifact: &Artifact) -> Decoded {
        let lock = || self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = lock().get(&artifact.digest) {
            return Arc::clone(program);
        }
        let decoded = Arc::new(decode(artifact));
        let mut programs = lock();
        if programs.len() >= PROGRAMS_KEPT {
            programs.pop_first();
        }
        programs.insert(artifact.digest, Arc::clone(&decoded));
        decoded
    }
}

fn decode(artifact: &Artifact) -> Result<Program, Vec<Refused>> {
    let module = ptx::parse(&artifact.ptx).map_err(|error| {
        let line = usize::try_from(error.line).unwrap_or(1).max(1);
        let text = artifact.ptx.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
        let instruction = PtxInstruction { text, line: error.line };
        vec![Refused { reason: error.message, instruction, lines: Vec::new() }]
    })?;
    Program::new(module, &artifact.manifest.entry_symbol)
}

impl Device for Emulator {
    fn name(&self) -> &str {
        "emulator"
    }

    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError> {
        let decoded = self.program(execution.artifact);
        let program = match decoded.as_ref() {
            Ok(program) => program,
            Err(refused) => {
                return Ok(refusal(execution, refused.iter().map(report::unsupported).collect()));
            }
        };
        launch::check(execution, program)?;
        let mut memory = GlobalMemory::new(execution.buffers);
        let values = launch::values(execution, program, &mut memory)?;
        let together = values.cluster_blocks();
        let units = Units::new(execution.blocks, execution.launch.blocks(), together);
        let run = || run_units(execution, program, &values, &memory, &units);
        let outcome = match &self.pool {
            Some(pool) => pool.install(run),
            None => run(),
        };
        Ok(finish(execution, program, memory, outcome))
    }
}

/// What the blocks of one worker, or of all, left behind.
#[derive(Default)]
struct RunOutcome {
    counters: Counters,
    logs: Vec<(u64, FaultLog, EventLog)>,
    blocks_run: u64,
    /// The first block or cluster that did not end by itself.
    stopped: Option<u64>,
}

impl RunOutcome {
    fn merge(mut self, other: Self) -> Self {
        self.counters += other.counters;
        self.logs.extend(other.logs);
        self.blocks_run += other.blocks_run;
        self.stopped = match (self.stopped, other.stopped) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self
    }
}

/// What runs blocks or clusters, one after another.
enum Machine<'a> {
    /// Single blocks, which clusters that do nothing as such are too.
    Blocks {
        machine: Box<BlockMachine<'a>>,
        values: &'a LaunchValues,
    },
    Clusters(ClusterMachine<'a>),
}

impl Machine<'_> {
    /// Runs one unit. Whether all of its blocks ended by themselves.
    fn run(&mut self, unit: u64, outcome: &mut RunOutcome) -> bool {
        let counters = &mut outcome.counters;
        match self {
            Self::Blocks { machine, values } => (0..values.cluster_blocks()).all(|rank| {
                outcome.blocks_run += 1;
                machine.run_block(block_of_cluster(values, unit, rank), counters)
            }),
            Self::Clusters(machine) => {
                outcome.blocks_run += machine.n_blocks();
                machine.run_cluster(unit, counters)
            }
        }
    }

    fn take_logs(&mut self) -> (FaultLog, EventLog) {
        match self {
            Self::Blocks { machine, .. } => (machine.memory().take_faults(), machine.take_events()),
            Self::Clusters(machine) => machine.take_logs(),
        }
    }
}

/// Runs blocks or clusters in ascending order, several at a time. After one that does not end by
/// itself, no further one is begun.
fn run_units(
    execution: &Execution<'_>,
    program: &Program,
    values: &LaunchValues,
    memory: &GlobalMemory,
    units: &Units,
) -> RunOutcome {
    let next = AtomicU64::new(0);
    let workers = units.len().min(rayon::current_num_threads() as u64);
    let shape = block_shape(execution, program, values);
    let budget = execution.instructions_per_block;
    let capability = execution.artifact.manifest.target.capability();
    let overlaps = execution.launch.programmatic && OVERLAP_CAPABILITY <= capability;
    let worker = |_| {
        let mut outcome = RunOutcome::default();
        let memory = || {
            let mut memory = BlockMemory::new(memory, shape.clone());
            if overlaps {
                memory.expect_waits();
            }
            memory
        };
        let mut machine = if program.uses_clusters {
            Machine::Clusters(ClusterMachine::new(program, values, memory, budget))
        } else {
            let machine = Box::new(BlockMachine::new(program, values, memory(), budget));
            Machine::Blocks { machine, values }
        };
        while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ended = machine.run(unit, &mut outcome);
            let (faults, events) = machine.take_logs();
            if !faults.is_empty() || !events.is_empty() {
                outcome.logs.push((unit, faults, events));
            }
            if !ended {
                outcome.stopped = Some(unit);
                next.store(u64::MAX / 2, Ordering::Relaxed);
            }
        }
        outcome
    };
    (0..workers).into_par_iter().map(worker).reduce(RunOutcome::default, RunOutcome::merge)
}

fn block_shape(execution: &Execution<'_>, program: &Program, values: &LaunchValues) -> BlockShape {
    let own = program.functions.first().map_or(0, |one| one.frame.local_bytes);
    let deepest = program.functions.iter().skip(1).map(|one| one.frame.local_bytes).max();
    let calls = deepest.map_or(0, |bytes| {
        (bytes.next_multiple_of(16) * u64::from(CALL_DEPTH_MAX)).min(CALL_STACK_BYTES)
    });
    let local = own.next_multiple_of(16) + calls;
    let threads = execution.launch.threads_per_block();
    BlockShape {
        threads: u32::try_from(threads).unwrap_or(1024),
        shared_bytes: values.shared_bytes,
        local_bytes: u32::try_from(local).unwrap_or(u32::MAX),
        params: values.parameters.as_slice().into(),
    }
}

fn finish(
    execution: &Execution<'_>,
    program: &Program,
    memory: GlobalMemory,
    outcome: RunOutcome,
) -> ExecutionReport {
    let (mut faults, mut events) = (FaultLog::default(), EventLog::default());
    // Which later units had begun when one stopped depends on timing: they do not count.
    let last = outcome.stopped.unwrap_or(u64::MAX);
    let mut logs = outcome.logs;
    logs.sort_by_key(|(unit, ..)| *unit);
    for (_, unit_faults, unit_events) in logs.into_iter().filter(|(unit, ..)| *unit <= last) {
        faults.merge(unit_faults);
        events.merge(unit_events);
    }
    let outputs = memory.into_outputs(&mut faults);
    let reporter = Reporter { program, launch: &execution.launch };
    let mut findings: Vec<Finding> = faults.iter().map(|fault| reporter.fault(fault)).collect();
    findings.extend(events.into_events().map(|event| reporter.event(event)));
    if execution.blocks == BlockSelection::All && outcome.stopped.is_none() {
        findings.extend(outputs.iter().filter_map(|output| {
            let buffer = execution.buffers.iter().find(|buffer| buffer.name == output.name)?;
            report::unwritten(buffer, output)
        }));
    }
    report::sort(&mut findings);
    let counters = outcome.stopped.is_none().then_some(outcome.counters);
    ExecutionReport { outputs, counters, findings, blocks_run: outcome.blocks_run, refused: None }
}

/// The report of a kernel that is not run: outputs of zeros that nobody wrote.
fn refusal(execution: &Execution<'_>, findings: Vec<Finding>) -> ExecutionReport {
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
    ExecutionReport { outputs: outputs.collect(), findings, ..ExecutionReport::default() }
}
