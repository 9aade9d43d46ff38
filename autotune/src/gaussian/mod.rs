//! Gaussian processes over a space's candidates: what some evaluations say about the others.
//!
//! Knows nothing of strategies and priors, which both stand on it.

mod features;
mod interpolate;
mod process;
mod targets;

pub(crate) use features::FeatureMap;
pub(crate) use interpolate::{Observations, expected_slowdowns};
pub(crate) use process::{Kernel, Posterior};
pub(crate) use targets::targets;
