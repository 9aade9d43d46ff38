//! The matrix: for each device and workload, the best candidate that the records prove.
//!
//! It is *derived*: `tuned.toml` may be deleted and made again from the log. Deriving is a pure
//! function with one result for one log, whatever the order of equal times.
//!
//! ```toml
//! schema = 1
//!
//! [compatibility]
//! compute_capabilities = ["9.0"]
//! cuda_minimum = "13.0"
//! driver_minimum = "580"
//!
//! [[entry]]
//! kernel = "rmsnorm"
//! spec = "…"                            # digest
//! device = "NVIDIA H200"
//! architecture = "sm_90a"
//! workload = "qwen3-prefill"
//! axes = { cols = 4096, rows = 4096 }
//! types = { T = "bf16" }
//! candidate = { rows_per_block = 1, threads_per_row = 128 }
//! artifact = "…"                        # digest
//! basis = "measured"                    # or "predicted", which has no interval
//! median_ns = 17012
//! interval_ns = [16990, 17044]          # holds the median with 95 %
//! fraction_of_roofline = 0.8219         # bytes_min at the data sheet's bandwidth, over the median
//! record = "…"                          # digest
//!
//! [entry.alone]                         # only where another candidate is surely faster alone
//! candidate = { rows_per_block = 1, threads_per_row = 256 }
//! artifact = "…"                        # digest
//! median_ns = 17540                     # alone, as are the next two
//! interval_ns = [17520, 17561]
//! record = "…"                          # digest
//! ```
//!
//! An entry's own times are those of a *chain*: launches back to back, each behind one of the same
//! kernel. *Alone* is one launch behind a foreign kernel that triggers nothing. Programmatic launches
//! gain in a chain and may cost alone, so a bucket may have a second winner: the finalist with the
//! least median alone, where its 95 % interval lies wholly below that of the winner in a chain.

mod alone;
mod choice;
mod derive;
mod text;
mod wire;

use std::collections::BTreeMap;

pub use choice::{Choice, Query, Rule};
pub use derive::{DeriveOptions, memory_floor_ns};

use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::dtype::Dtype;
use crate::space::Candidate;
use crate::target::Architecture;

/// Schema number of the matrix.
pub const MATRIX_SCHEMA: u32 = 1;

/// Device × workload to best candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    compatibility: Compatibility,
    /// Sorted by kernel, device, types and axes; never two for one of these.
    entries: Vec<Entry>,
}

/// What a machine must have to run the kernels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compatibility {
    /// Compute capabilities of the entries, such as `9.0`, rising.
    pub compute_capabilities: Vec<String>,
    /// The oldest CUDA version, such as `13.0`; empty where it is not known.
    pub cuda_minimum: String,
    /// The oldest driver, such as `580`; empty where it is not known.
    pub driver_minimum: String,
}

/// The best candidate for one workload on one device.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Name of the kernel.
    pub kernel: String,
    /// Digest of the spec and its files.
    pub spec: Digest,
    /// The board, as the driver names it.
    pub device: String,
    /// What the artifact is compiled for.
    pub architecture: Architecture,
    /// The workload's name in the spec.
    pub workload: String,
    /// Its axes.
    pub axes: BTreeMap<String, i64>,
    /// Its types.
    pub types: BTreeMap<String, Dtype>,
    /// The winner.
    pub candidate: Candidate,
    /// What it compiled to.
    pub artifact: Digest,
    /// Where the time comes from, and the time.
    pub time: EntryTime,
    /// The least time at the data sheet's bandwidth as a share of the median; `None` where the
    /// device's profile was not at hand.
    pub fraction_of_roofline: Option<f64>,
    /// Digest of the record that proves it.
    pub record: Digest,
    /// The winner alone, where it is surely another one.
    pub alone: Option<AloneWinner>,
}

/// What comes before a launch in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Situation {
    /// A kernel that lets dependent launches start early, as the winner in a chain was timed.
    Chain,
    /// Anything else.
    Alone,
}

/// A candidate that is surely faster alone than the one that is fastest in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AloneWinner {
    /// The candidate.
    pub candidate: Candidate,
    /// What it compiled to.
    pub artifact: Digest,
    /// Median of its times alone, nanoseconds.
    pub median_ns: u64,
    /// Low and high end of the 95 % interval of that median.
    pub interval_ns: (u64, u64),
    /// Digest of the record that proves it.
    pub record: Digest,
}

/// An entry's time in a chain, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryTime {
    /// Measured on the device.
    Measured {
        /// Median of the samples.
        median_ns: u64,
        /// Low and high end of the 95 % interval of the median.
        interval_ns: (u64, u64),
    },
    /// Predicted by the cost model.
    Predicted {
        /// The prediction.
        time_ns: u64,
    },
}

impl EntryTime {
    /// `measured` or `predicted`.
    pub const fn basis(&self) -> &'static str {
        match self {
            Self::Measured { .. } => "measured",
            Self::Predicted { .. } => "predicted",
        }
    }

    /// The median or the prediction, nanoseconds.
    pub const fn median_ns(&self) -> u64 {
        match self {
            Self::Measured { median_ns, .. } => *median_ns,
            Self::Predicted { time_ns } => *time_ns,
        }
    }
}

impl Matrix {
    /// The entries, sorted by kernel, device, types and axes.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What a machine must have.
    pub const fn compatibility(&self) -> &Compatibility {
        &self.compatibility
    }

    /// Whether no workload has a winner.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The text of `tuned.toml`: the same matrix, the same bytes.
    pub fn to_toml(&self) -> String {
        text::write(self)
    }

    /// Reads a `tuned.toml`; `file` names it in errors.
    ///
    /// # Errors
    /// `matrix.syntax` for what is no TOML of this shape, `matrix.schema`, `matrix.entry` for an
    /// entry that contradicts itself, `matrix.duplicate` for two entries of one device and
    /// workload.
    pub fn parse(file: &str, text: &str) -> Result<Self, Box<Diagnostic>> {
        wire::read(file, text)
    }
}

/// A compute capability as its vendor writes it: `9.0` for `sm_90a`.
fn compute_capability(architecture: Architecture) -> String {
    let capability = architecture.capability();
    format!("{}.{}", capability / 10, capability % 10)
}
