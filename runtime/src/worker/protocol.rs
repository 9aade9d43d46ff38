//! Messages between a parent and its worker.
//!
//! One JSON object a line. A request's line only says where its JSON lies in the exchange file:
//! the parent never waits for a worker to read. Lengths of what a worker writes there follow from
//! the request; it cannot state any.

use std::path::PathBuf;

use ridge_spec::artifact::{Artifact, Manifest};
use ridge_spec::counters::Counters;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::{Argument, LaunchConfig};
use ridge_spec::outcome::{Finding, Phase, Rejection};
use serde::{Deserialize, Serialize};

use super::exchange::Region;
use crate::device::DeviceError;
use crate::measure::{DeviceFacts, Layout, TensorLayout, Timing, TimingPlan};

/// The first line a worker is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Setup {
    /// The device to open.
    pub(super) device: String,
    /// The exchange file.
    pub(super) exchange: PathBuf,
}

/// The first line a worker sends.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Greeting {
    /// The device is open.
    Ready {
        /// Its name, for messages and records.
        name: String,
        /// What it says of itself.
        facts: DeviceFacts,
    },
    /// There is no such device.
    Failed {
        /// Why.
        reason: String,
    },
}

/// A line to the worker: where its next request lies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    /// Number of the request; its answer carries the same.
    pub(super) id: u64,
    /// The [`Request`] as JSON.
    pub(super) request: Region,
}

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    /// Run one launch.
    Execute {
        launch: LaunchParts,
        buffers: Vec<BufferParts>,
        /// Blocks to run; all of them where absent.
        sampled: Option<u32>,
        instructions_per_block: u64,
    },
    /// Put tensors on the device.
    Stage {
        tensors: Vec<TensorLayout>,
        contents: Vec<Vec<Region>>,
        rotation_bytes: u64,
        flush_bytes: u64,
    },
    /// Run and time a candidate; images go to `images`, one after another.
    Evaluate { launch: LaunchParts, plan: TimingPlan, images: Region },
    /// Time candidates alternately; images likewise, those of the first candidate first.
    Contest { launches: Vec<LaunchParts>, plan: TimingPlan, images: Region },
}

/// A launch whose artifact's texts lie in the exchange file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchParts {
    pub(super) manifest: Manifest,
    pub(super) ptx: Region,
    pub(super) cubin: Region,
    pub(super) config: LaunchConfig,
    pub(super) arguments: Vec<ArgumentParts>,
}

/// An [`Argument`]; a scalar as bits, for JSON has no infinities.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ArgumentParts {
    Tensor { name: String },
    Scalar { name: String, dtype: Dtype, bits: u64 },
    Integer { name: String, value: i64 },
}

impl ArgumentParts {
    pub(super) fn of(argument: &Argument) -> Self {
        match argument.clone() {
            Argument::Tensor { name } => Self::Tensor { name },
            Argument::Scalar { name, dtype, value } => {
                Self::Scalar { name, dtype, bits: value.to_bits() }
            }
            Argument::Integer { name, value } => Self::Integer { name, value },
        }
    }

    pub(super) fn into_argument(self) -> Argument {
        match self {
            Self::Tensor { name } => Argument::Tensor { name },
            Self::Scalar { name, dtype, bits } => {
                Argument::Scalar { name, dtype, value: f64::from_bits(bits) }
            }
            Self::Integer { name, value } => Argument::Integer { name, value },
        }
    }
}

/// A tensor of an execution.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BufferParts {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) content: ContentParts,
    pub(super) constant: bool,
}

/// What it holds, and where its bytes and written bits go afterwards.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ContentParts {
    Input { before: Region },
    Output { after: Region, written: Region },
    InOut { before: Region, after: Region, written: Region },
}

/// A line from the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    /// The request's number.
    pub(super) id: u64,
    /// Whether the device can run more after this.
    pub(super) usable: bool,
    pub(super) message: Message,
}

/// What a worker says to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Message {
    /// More will follow.
    Progress { phase: Phase },
    /// Outputs lie where the request wanted them.
    Executed {
        counters: Option<Box<Counters>>,
        findings: Vec<Finding>,
        blocks_run: u64,
        refused: Option<Rejection>,
    },
    /// The tensors are on the device.
    Staged { layout: Layout },
    /// One candidate of an evaluation.
    Evaluated { attempt: AttemptParts, busy_ns: u64 },
    /// The candidates of a contest, in their order.
    Contested { attempts: Vec<AttemptParts> },
    /// The request does not fit the artifact.
    Invalid { entry: String, reason: String },
    /// The device is gone, or does not do what it should.
    Lost { reason: String },
}

/// What became of a candidate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum AttemptParts {
    /// Its samples, and which sets its images are of.
    Timed {
        timing: Box<Timing>,
        first: Option<ImageParts>,
        again: Option<ImageParts>,
        later: Vec<ImageParts>,
    },
    /// It failed.
    Rejected { rejection: Box<Rejection> },
}

/// An image without its bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageParts {
    pub(super) set: u32,
    pub(super) poison_seed: u64,
}

impl Message {
    pub(super) fn of_error(error: DeviceError) -> Self {
        match error {
            DeviceError::InvalidExecution { entry, reason } => Self::Invalid { entry, reason },
            DeviceError::Lost { reason } => Self::Lost { reason },
        }
    }
}

/// An artifact of its parts.
pub(super) fn artifact(
    manifest: Manifest,
    ptx: Vec<u8>,
    cubin: Vec<u8>,
) -> Result<Artifact, String> {
    let ptx = String::from_utf8(ptx).map_err(|error| format!("the PTX is no text: {error}"))?;
    Ok(Artifact::new(manifest, ptx, cubin))
}
