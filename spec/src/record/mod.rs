//! Tuning records: one evaluated candidate with everything needed to trust it, and the append-only
//! log of them.
//!
//! # The log
//!
//! A text file, one record a line, each a JSON object that ends with a line feed. Every line
//! carries `schema` (1) and `digest`: the SHA-256, in hexadecimal, of the canonical JSON of the
//! object without its `digest`, which has the keys of every object sorted by their bytes, no white
//! space, and numbers as they stand. Reading checks it, so a record that was edited, cut or glued
//! is refused. Times are integer nanoseconds; medians and fractions are computed, not stored.
//!
//! [`read_log`] never fails as a whole: a last line without a line feed is torn and left out;
//! other lines that are no records are reported and left out.

mod canonical;
mod log;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use log::{LINE_LIMIT, RecordLog, read_log};

use crate::artifact::Resources;
use crate::counters::Counters;
use crate::digest::Digest;
use crate::dtype::Dtype;
use crate::kernel::Workload;
use crate::launch::LaunchConfig;
use crate::outcome::{Outcome, Prediction, Samples, number};
use crate::space::Candidate;
use crate::target::Architecture;

/// Schema number of the records that are written.
pub const RECORD_SCHEMA: u32 = 1;

/// One evaluated candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct TuningRecord {
    /// Digest of the spec and of every file it names.
    pub spec: Digest,
    /// Name of the kernel.
    pub kernel: String,
    /// What it was evaluated on.
    pub workload: RecordedWorkload,
    /// The candidate.
    pub candidate: Candidate,
    /// Digest of what it compiled to; `None` where it did not compile.
    pub artifact: Option<Digest>,
    /// What the assembler says the artifact needs.
    pub resources: Option<Resources>,
    /// What it did, counted over the blocks that ran.
    pub counters: Option<Counters>,
    /// How it was launched.
    pub launch: Option<LaunchConfig>,
    /// The least bytes of device memory that the workload must move.
    pub bytes_min: u64,
    /// Floating-point operations of the workload.
    pub flops: u64,
    /// Where and with what it was evaluated.
    pub environment: Environment,
    /// How its time came about.
    pub protocol: Protocol,
    /// What was checked; `None` where checking did not finish.
    pub verification: Option<VerificationSummary>,
    /// What became of it.
    pub outcome: Outcome,
    /// What the cost model said of it before it was measured; `None` where it was not asked, or
    /// where the outcome is the prediction.
    pub prediction: Option<Prediction>,
    /// What was timed beside a measured candidate.
    pub companions: Option<Companions>,
    /// Name of the workload on which it was rejected, where that is not its own: a winner must
    /// pass every workload of its spec.
    pub refused_on: Option<String>,
    /// Seed of the campaign.
    pub seed: u64,
    /// Its place in the campaign, from 0.
    pub sequence: u64,
    /// Where the wall time of the evaluation went.
    pub phases: PhaseTimes,
    /// The version of Ridge that wrote it.
    pub tool_version: String,
}

/// The identity of a workload, with its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedWorkload {
    /// Its name in the spec.
    pub name: String,
    /// The extent of each axis that is not derived.
    pub axes: BTreeMap<String, i64>,
    /// The dtype of each type variable.
    pub types: BTreeMap<String, Dtype>,
    /// Values of scalar inputs, where they are not the defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scalars: BTreeMap<String, f64>,
}

/// Where and with what a candidate was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The vendor's name of the board that the time is for, as the driver reports it: where the
    /// time is predicted, the board of the profile.
    pub device: String,
    /// What it was compiled for.
    pub architecture: Architecture,
    /// What executed it: `emulator`, or `cuda:0` and the like.
    pub executor: String,
    /// Name of the device profile.
    pub profile: String,
    /// Digest of that profile.
    pub profile_digest: Digest,
    /// Version of the GPU's driver, where one ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The kernel compiler and its version, such as `nvrtc 13.0.88`.
    pub toolkit: String,
    /// Clocks that were set for the measurement, where somebody set them; those seen are among the
    /// [`Companions`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Clocks>,
}

/// Clocks seen during a measurement, hertz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clocks {
    /// The lowest of the multiprocessors.
    pub multiprocessor_min_hz: u64,
    /// The highest of the multiprocessors.
    pub multiprocessor_max_hz: u64,
    /// Of the memory.
    pub memory_hz: u64,
}

/// What was timed beside a measured candidate, in the same rounds; nanoseconds a launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companions {
    /// A copy of as many bytes as the workload must move: half read, half written.
    pub copy: Samples,
    /// The candidate back to back on the same tensors, with a warm cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hot: Option<Samples>,
    /// One launch of it after a foreign kernel, launch latency included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alone: Option<Samples>,
    /// The very same artifact, loaded once more and timed as if it were another candidate: how far
    /// the two medians are apart is the noise of the measurement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<Samples>,
    /// Whether two runs on the same inputs left the same bits; `None` where it was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<bool>,
    /// Samples discarded because the device was throttled while they were taken.
    #[serde(default)]
    pub throttled: u32,
    /// Clocks seen meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Clocks>,
}

/// How a time came about: a name that changes whenever the procedure does, and its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Such as `static-model-1`.
    pub name: String,
    /// Its settings, by name; durations in nanoseconds, sizes in bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, u64>,
}

/// What was checked of a candidate that passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerificationSummary {
    /// Names of the workloads it was checked on.
    pub workloads: Vec<String>,
    /// Names of the input distributions.
    pub distributions: Vec<String>,
    /// How much of the grid ran.
    pub blocks: BlocksVerified,
    /// The largest error of any element as a share of what is allowed; above 1 where the spec
    /// lets some elements exceed it.
    #[serde(with = "number")]
    pub worst_error: f64,
}

/// How much of a grid was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlocksVerified {
    /// Every thread block.
    All,
    /// This many of them.
    Sampled(u64),
}

/// Wall time of an evaluation's phases, nanoseconds; 0 for a phase that did not run, or whose
/// result was already there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseTimes {
    /// Compiling.
    #[serde(default)]
    pub compile_ns: u64,
    /// Checking against the reference.
    #[serde(default)]
    pub verify_ns: u64,
    /// Counting for the cost model.
    #[serde(default)]
    pub profile_ns: u64,
    /// Timing on the device.
    #[serde(default)]
    pub measure_ns: u64,
}

impl TuningRecord {
    /// Its identity: what the `digest` of its line says.
    pub fn digest(&self) -> Digest {
        wire::digest(self)
    }
}

/// The record as a line of the log, line feed included.
pub fn to_line(record: &TuningRecord) -> String {
    wire::to_line(record)
}

impl Environment {
    /// Whether a time taken in the one is as good as taken in the other: everything is the same but
    /// which of a host's GPUs executed it.
    pub fn is_interchangeable(&self, other: &Self) -> bool {
        let kind = |executor: &str| executor.split(':').next().unwrap_or_default().to_owned();
        let same_kind = kind(&self.executor) == kind(&other.executor);
        same_kind && Self { executor: other.executor.clone(), ..self.clone() } == *other
    }

    /// Its identity.
    pub fn digest(&self) -> Digest {
        let value = serde_json::to_value(self).unwrap_or_default();
        Digest::of(canonical::text(&value).as_bytes())
    }
}

impl From<&Workload> for RecordedWorkload {
    fn from(workload: &Workload) -> Self {
        Self {
            name: workload.name.clone(),
            axes: workload.axes.clone(),
            types: workload.types.clone(),
            scalars: workload.scalars.clone(),
        }
    }
}

/// The same text as the workload's: `axis=value,…,T=dtype`, sorted.
impl fmt::Display for RecordedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes = self.axes.iter().map(|(name, value)| format!("{name}={value}"));
        let types = self.types.iter().map(|(name, dtype)| format!("{name}={dtype}"));
        let scalars = self.scalars.iter().map(|(name, value)| format!("{name}={value:?}"));
        f.write_str(&axes.chain(types).chain(scalars).collect::<Vec<_>>().join(","))
    }
}
