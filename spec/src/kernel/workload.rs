//! Workloads: concrete axes and types, and how close the outputs must come.

use std::collections::BTreeMap;
use std::fmt;

use crate::dtype::Dtype;

/// Concrete axes and types.
///
/// Its identity is its text: `axis=value` sorted by axis, then `T=dtype` sorted by variable, then
/// the scalars that differ from their defaults, joined by commas.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// A name for people, distinct within its spec.
    pub name: String,
    /// The extent of each axis that is not derived, at least 1.
    pub axes: BTreeMap<String, i64>,
    /// The dtype of each type variable.
    pub types: BTreeMap<String, Dtype>,
    /// What it is for.
    pub role: Role,
    /// Its own tolerance, where it is not the spec's. An output for which the spec has one of its own
    /// keeps that.
    pub tolerance: Option<Tolerance>,
    /// Its own tolerances of single outputs, which come before all others.
    pub output_tolerances: BTreeMap<String, Tolerance>,
    /// Values of scalar inputs, where they are not the defaults.
    pub scalars: BTreeMap<String, f64>,
}

/// What a workload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Checked and timed.
    Tune,
    /// Checked only: small, ragged, extreme.
    Verify,
}

impl Role {
    /// The word in specs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tune => "tune",
            Self::Verify => "verify",
        }
    }
}

/// When an output counts as equal to the reference: an element fails where it differs by more than
/// `absolute` *and* by more than `relative` times the reference's magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Difference that is always allowed, at least 0.
    pub absolute: f64,
    /// Difference that is allowed for each unit of the reference's magnitude, at least 0.
    pub relative: f64,
    /// Share of elements that must not fail, above 0 and at most 1.
    pub matched_ratio: f64,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes = self.axes.iter().map(|(name, value)| format!("{name}={value}"));
        let types = self.types.iter().map(|(name, dtype)| format!("{name}={dtype}"));
        let scalars = self.scalars.iter().map(|(name, value)| format!("{name}={value:?}"));
        let parts: Vec<String> = axes.chain(types).chain(scalars).collect();
        f.write_str(&parts.join(","))
    }
}
