//! Timing candidates: what is asked of a device that can, and what it answers.
//!
//! A [`TimingDevice`] opens a [`Stage`] for one workload: its tensors in several sets that stay on
//! the device while candidates come and go. A candidate is *evaluated*, that is run once for the
//! judge and then timed, or *contested*, that is timed alternately with others. What comes back are
//! raw samples and [images](Image) of the memory it ran on; the judge compares those where no
//! candidate can reach them, in another process.
//!
//! # The procedure, `cold-graph-1`
//!
//! One sample is the device time of a CUDA graph of `n` launches divided by `n`, between two events.
//! Each launch uses the next set of tensors; together the sets are several times the second-level
//! cache. Before each replay all outputs are overwritten with random bytes and a foreign buffer of
//! several caches is read, so that every replay starts from the same history. Where
//! [`TimingPlan::difference`] is set, graphs of `n` and `2n` launches are timed in turn, and a
//! sample is their difference over `n`: the cost of starting a graph cancels. Each round also times
//! a copy of the same number of bytes by the same rule.

pub mod layout;
pub mod poison;
pub mod statistics;

use std::sync::Arc;

use ridge_spec::dtype::Dtype;
use ridge_spec::outcome::{Rejection, Samples};
use ridge_spec::record::Clocks;
use ridge_spec::target::Architecture;
use serde::{Deserialize, Serialize};

use crate::device::{Device, DeviceError};
use crate::verify::Launch;
pub use layout::Layout;

/// Name of the procedure, as records carry it; it changes whenever the procedure does.
pub const PROTOCOL: &str = "cold-graph-1";

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// The vendor's name of the board, as the driver reports it.
    pub name: String,
    /// Its compute capability, as an architecture without suffix: `sm_90`.
    pub architecture: Architecture,
    /// Version of the driver, such as `580.159.04`; the version of CUDA it supports where the
    /// management library is missing.
    pub driver: String,
    /// Newest version of CUDA the driver supports: 13000 is 13.0.
    pub cuda_version: u32,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Second-level cache, bytes.
    pub l2_bytes: u64,
    /// Device memory, bytes.
    pub memory_bytes: u64,
}

/// The tensors of one workload.
#[derive(Clone, Debug)]
pub struct StageRequest {
    /// Inputs, then outputs, in the problem's order.
    pub tensors: Vec<TensorLayout>,
    /// `contents[k]` holds the bytes of every input for the sets `k`, `k + contents.len()` and so
    /// on; at least one.
    pub contents: Vec<Vec<Arc<[u8]>>>,
    /// Sets are made until all together hold at least this many bytes, or there are
    /// [`layout::SETS_MAX`] of them.
    pub rotation_bytes: u64,
    /// Bytes of the foreign buffer read before each replay.
    pub flush_bytes: u64,
}

/// One tensor of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorLayout {
    /// Its name in the spec.
    pub name: String,
    /// Its element type.
    pub dtype: Dtype,
    /// Its size, bytes.
    pub size_bytes: u64,
    /// Whether the kernel writes it.
    pub is_output: bool,
}

/// How to time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingPlan {
    /// Rounds that are timed and not counted.
    pub warm_up_rounds: u32,
    /// Rounds before a decision is made; at least 1.
    pub rounds_min: u32,
    /// Rounds after which it ends in any case.
    pub rounds_max: u32,
    /// Ends when half the width of the median's 95 % interval is below this share of the median.
    pub relative_error: f64,
    /// Gives up on a candidate that is surely slower than this, nanoseconds.
    pub lost_above_ns: Option<u64>,
    /// Device time that one replay should take, nanoseconds: decides the number of launches.
    pub replay_ns: u64,
    /// Whether a sample is the difference of two graphs.
    pub difference: bool,
    /// Also time with a warm cache, and alone after a foreign kernel.
    pub companions: bool,
    /// Sets, drawn at random, whose image is returned after the timed runs; 0 for no image at all
    /// after them, not even of the set that was run on first.
    pub images_after: u32,
    /// Seed of the poison, of the order of rounds and of the drawn sets.
    pub seed: u64,
    /// Wall time a candidate may take in all before its worker is given up, nanoseconds.
    pub time_limit_ns: u64,
}

/// Samples of one candidate, nanoseconds a launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Cold, in the order taken.
    pub samples: Samples,
    /// A copy of as many bytes as the workload reads and writes, in the same rounds.
    pub copy: Samples,
    /// Back to back on one set, with a warm cache, where asked for.
    pub hot: Option<Samples>,
    /// One launch after a foreign kernel, launch latency included, where asked for.
    pub alone: Option<Samples>,
    /// Launches in the (shorter) graph.
    pub launches: u32,
    /// Sets of tensors the launches rotate over.
    pub sets: u32,
    /// Samples discarded because the device was throttled while they were taken.
    pub throttled: u32,
    /// Clocks seen.
    pub clocks: Option<Clocks>,
    /// Whether it was given up as slower than [`TimingPlan::lost_above_ns`].
    pub lost: bool,
}

/// What one set of tensors held after a run, red zones included.
///
/// The bytes lie as [`Layout::set_bytes`] long image of one set.
#[derive(Clone, Debug)]
pub struct Image {
    /// Which set.
    pub set: u32,
    /// What outputs and red zones were filled with before the run: see [`poison`].
    pub poison_seed: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What evaluating a candidate gave.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The set that was run on once, before anything was timed.
    pub first: Image,
    /// That set again after another run with other poison: outputs must agree bit for bit, or the
    /// kernel is not repeatable. `None` for a candidate that is lost, and where the plan asks for no
    /// images after the timed runs.
    pub again: Option<Image>,
    /// Sets drawn at random, after the timed runs; none for a candidate that is lost.
    pub later: Vec<Image>,
    /// The samples.
    pub timing: Timing,
    /// Device and transfer time in the worker, nanoseconds.
    pub busy_ns: u64,
}

/// What became of a candidate on the device. Whether its outputs are right, the judge says.
pub type Attempt<T> = Result<T, Box<Rejection>>;

/// A device that can time kernels.
pub trait TimingDevice: Device {
    /// What it says of itself.
    fn facts(&self) -> &DeviceFacts;

    /// Puts the tensors of a workload on the device, replacing those of the last stage.
    ///
    /// # Errors
    /// When the device is gone, or its memory does not hold two sets.
    fn stage(&self, request: StageRequest) -> Result<Box<dyn Stage + '_>, DeviceError>;

    /// Puts the stage's inputs on the device anew before the next candidate runs: for when the
    /// judge has found that one wrote where it should not. After a candidate that the device
    /// itself rejected it happens without being asked for.
    fn restore_stage(&self) {}

    /// Takes back the memory of an image that is no longer needed: the next one then costs no new
    /// pages.
    fn recycle(&self, _image: Image) {}
}

/// A workload's tensors on a device.
pub trait Stage: Send {
    /// Where everything lies in an image.
    fn layout(&self) -> &Layout;

    /// Runs a candidate once, times it, and returns what the judge needs.
    ///
    /// # Errors
    /// When the device is gone. A candidate that fails is an [`Attempt`].
    fn evaluate(
        &mut self,
        launch: &Launch<'_>,
        plan: &TimingPlan,
    ) -> Result<Attempt<Evaluation>, DeviceError>;

    /// Times several candidates alternately, in a worker process that has run nothing before; the
    /// answers are in the order of the candidates, with images after the timed runs.
    ///
    /// # Errors
    /// When the device is gone.
    fn contest(
        &mut self,
        launches: &[Launch<'_>],
        plan: &TimingPlan,
    ) -> Result<Vec<Attempt<Contested>>, DeviceError>;
}

/// What a contest gave for one candidate.
#[derive(Clone, Debug)]
pub struct Contested {
    /// The samples.
    pub timing: Timing,
    /// Sets drawn at random, after the timed runs.
    pub later: Vec<Image>,
}
