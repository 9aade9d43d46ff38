//! Outcomes of evaluating a candidate: a measurement, a prediction, or the reason for neither.
//!
//! A candidate that fails is a value, never a number and never an error. Times are integer
//! nanoseconds; medians and intervals are computed from the samples, not stored beside them.
//!
//! The JSON is stable: `{"measured": {…}}`, `{"predicted": {…}}` or `{"rejected": {"kind": …}}`,
//! where `kind` is [`Rejection::code`].

mod finding;
mod mismatch;
pub mod number;
mod prediction;
mod rejection;
mod samples;

use serde::{Deserialize, Serialize};

pub use finding::{Finding, FindingKind, PtxInstruction, SourceLine};
pub use mismatch::{
    AxisLength, AxisPattern, ElementError, ErrorDecade, ErrorDistribution, InputsUsed, Mismatch,
    Region, Resemblance, ToleranceUsed,
};
pub use prediction::{CostTerm, Prediction, TermTime};
pub use rejection::{CompilerMessage, Limit, Phase, Rejection, Resource, Severity};
pub use samples::{Interval, Samples, SamplesError};

/// What became of one candidate on one workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is correct and was timed.
    Measured(Samples),
    /// It is correct as far as it was checked, and its time is the cost model's.
    Predicted(Prediction),
    /// It failed.
    Rejected(Rejection),
}

impl Outcome {
    /// Stable code: `measured`, `predicted`, or the rejection's.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Measured(_) => "measured",
            Self::Predicted(_) => "predicted",
            Self::Rejected(rejection) => rejection.code(),
        }
    }

    /// The median of the samples or the predicted time, nanoseconds; `None` for a rejection.
    pub fn time_ns(&self) -> Option<u64> {
        match self {
            Self::Measured(samples) => Some(samples.median_ns()),
            Self::Predicted(prediction) => Some(prediction.time_ns),
            Self::Rejected(_) => None,
        }
    }

    /// The reason, where it was rejected.
    pub const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Measured(_) | Self::Predicted(_) => None,
        }
    }

    /// One line for a person.
    pub fn summary(&self) -> String {
        match self {
            Self::Measured(samples) => {
                let interval = samples.interval(0.95);
                format!(
                    "measured at {} ns ({} to {} ns, {} samples)",
                    samples.median_ns(),
                    interval.low_ns,
                    interval.high_ns,
                    samples.len()
                )
            }
            Self::Predicted(prediction) => format!(
                "predicted at {} ns on `{}`, limited by {}",
                prediction.time_ns, prediction.profile, prediction.limiting
            ),
            Self::Rejected(rejection) => rejection.summary(),
        }
    }
}
