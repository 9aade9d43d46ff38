//! The device: what runs an artifact, be it the emulator or a GPU.

use std::sync::Arc;

use ridge_spec::artifact::Artifact;
use ridge_spec::counters::Counters;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::outcome::{Finding, Rejection};

/// One tensor of an execution.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Name, as the spec has it.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// What it holds before the launch.
    pub content: BufferContent,
    /// Of an input, whether no kernel before this one writes it: a kernel launched with programmatic
    /// dependent launch may read it before it has waited for them. Of others it says nothing.
    pub constant: bool,
}

/// What a buffer holds before the launch, and so what may be done to it.
#[derive(Clone, Debug)]
pub enum BufferContent {
    /// Read only: a write is a finding. Shared between executions without a copy.
    Input(Arc<[u8]>),
    /// Uninitialised output of that many bytes: a read before a write is a finding.
    Output {
        /// Size, bytes.
        size_bytes: u64,
    },
    /// Filled before the launch, read and written freely, and returned among the outputs.
    InOut(Arc<[u8]>),
}

impl BufferContent {
    /// Size, bytes.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Input(bytes) | Self::InOut(bytes) => bytes.len() as u64,
            Self::Output { size_bytes } => *size_bytes,
        }
    }
}

/// Which thread blocks of the grid to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSelection {
    /// All of them; outputs are checked for elements never written.
    All,
    /// About this many, spread evenly over the grid with its first and last block among them; of
    /// a launch with clusters, whole ones. A device that can only run whole grids runs all.
    Sampled(u32),
}

/// One launch to run.
#[derive(Clone, Debug)]
pub struct Execution<'a> {
    /// What to run.
    pub artifact: &'a Artifact,
    /// How to launch it.
    pub launch: LaunchConfig,
    /// Its arguments, in order; tensors name entries of `buffers`.
    pub arguments: &'a [Argument],
    /// Its tensors.
    pub buffers: &'a [Buffer],
    /// Which blocks.
    pub blocks: BlockSelection,
    /// Warp instructions one block may issue before it counts as endless.
    pub instructions_per_block: u64,
}

/// What an execution left behind.
#[derive(Clone, Debug, Default)]
pub struct ExecutionReport {
    /// The output buffers, in the order of the execution's buffers.
    pub outputs: Vec<OutputBuffer>,
    /// What was counted; `None` where the device does not count.
    pub counters: Option<Counters>,
    /// Faults, most telling first, one for each (instruction, kind).
    pub findings: Vec<Finding>,
    /// Blocks that ran.
    pub blocks_run: u64,
    /// Why the kernel could not even begin: the driver refused to load or to launch it.
    pub refused: Option<Rejection>,
}

/// One output after an execution.
#[derive(Clone, Debug)]
pub struct OutputBuffer {
    /// Name, as the spec has it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// One bit for each byte, least significant first: written by some thread.
    pub written: Vec<u64>,
}

impl OutputBuffer {
    /// Whether every one of `length` bytes from `start` was written.
    pub fn is_written(&self, start: usize, length: usize) -> bool {
        (start..start + length)
            .all(|at| self.written.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1))
    }
}

/// Why a device could not answer. A kernel that fails is a report, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The request contradicts itself or the artifact: not the candidate's fault.
    #[error("the launch of `{entry}` cannot be built: {reason}")]
    InvalidExecution {
        /// The kernel.
        entry: String,
        /// What does not fit.
        reason: String,
    },
    /// The device is gone.
    #[error("the device is lost: {reason}")]
    Lost {
        /// What the driver said.
        reason: String,
    },
}

/// Something that runs artifacts.
pub trait Device: Send + Sync {
    /// Short name for messages and records, such as `emulator`.
    fn name(&self) -> &str;

    /// Whether it can run another launch: on a GPU, a kernel's fault takes its context along.
    fn is_usable(&self) -> bool {
        true
    }

    /// Runs one launch to its end.
    ///
    /// # Errors
    /// Only when the device cannot answer. A kernel that faults, loops or is not supported comes
    /// back as findings.
    fn execute(&self, execution: &Execution<'_>) -> Result<ExecutionReport, DeviceError>;
}
