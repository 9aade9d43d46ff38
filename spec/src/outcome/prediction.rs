//! What the cost model says a candidate would take.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A predicted time and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// The predicted latency, nanoseconds.
    pub time_ns: u64,
    /// The term that decides it.
    pub limiting: CostTerm,
    /// Every term the model looked at, in its order.
    pub terms: Vec<TermTime>,
    /// Name of the device profile it was computed with, such as `h200`.
    pub profile: String,
}

/// What one term of the cost model would take if it were alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermTime {
    /// The term.
    pub term: CostTerm,
    /// Its time, nanoseconds.
    #[serde(with = "super::number")]
    pub time_ns: f64,
}

/// The terms a predicted time is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostTerm {
    /// Starting the kernel.
    Launch,
    /// Handing thread blocks to multiprocessors.
    Dispatch,
    /// Moving bytes to and from device memory.
    DeviceMemory,
    /// Moving bytes to and from the second-level cache.
    L2,
    /// Passes through shared memory.
    SharedMemory,
    /// Issuing instructions.
    Issue,
    /// Integer and floating-point arithmetic.
    Arithmetic,
    /// Special functions.
    Special,
    /// Conversions between types.
    Conversion,
    /// Matrix instructions.
    Tensor,
    /// Barriers and what waits at them.
    Synchronisation,
    /// Waiting for loads that too few bytes in flight cannot hide.
    Latency,
}

impl CostTerm {
    /// The word of this term in JSON and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Dispatch => "dispatch",
            Self::DeviceMemory => "device_memory",
            Self::L2 => "l2",
            Self::SharedMemory => "shared_memory",
            Self::Issue => "issue",
            Self::Arithmetic => "arithmetic",
            Self::Special => "special",
            Self::Conversion => "conversion",
            Self::Tensor => "tensor",
            Self::Synchronisation => "synchronisation",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for CostTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
