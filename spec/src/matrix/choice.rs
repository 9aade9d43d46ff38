//! Picking an entry for a machine and a workload.

use std::collections::BTreeMap;
use std::fmt;

use super::{Entry, Matrix};
use crate::dtype::Dtype;
use crate::target::Architecture;

/// What an entry is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Name of the kernel.
    pub kernel: &'a str,
    /// The board, as the driver names it.
    pub device: &'a str,
    /// Its architecture; the suffix does not matter.
    pub architecture: Architecture,
    /// Extent of each axis that is not derived.
    pub axes: &'a BTreeMap<String, i64>,
    /// Dtype of each type variable.
    pub types: &'a BTreeMap<String, Dtype>,
}

/// What was picked, and by which rule.
///
/// An entry that was tuned for another shape may break a constraint of the space on this one: the
/// consumer checks it and falls back to the default candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice<'a> {
    /// The entry, whose [`Entry::winner`] depends on the situation; `None` stands for the spec's
    /// default candidate.
    pub entry: Option<&'a Entry>,
    /// Why this one.
    pub rule: Rule,
}

/// The rules, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// This device, these axes, these types.
    ExactShape,
    /// This device and types; the nearest axes.
    NearestShape,
    /// Another device of the same compute capability, these types; the nearest axes.
    SameArchitecture,
    /// Nothing fits: the spec's default candidate.
    Default,
}

impl Rule {
    /// Its word in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ExactShape => "exact_shape",
            Self::NearestShape => "nearest_shape",
            Self::SameArchitecture => "same_architecture",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Matrix {
    /// The entry for a device and a workload: this device and shape, else this device and the
    /// nearest shape (the sum over axes of the squared difference of logarithms), else the nearest
    /// shape on the same architecture, else the default candidate. Of equally near entries the
    /// first in the matrix's order wins. Types and axis names must always be the same.
    pub fn pick(&self, query: &Query<'_>) -> Choice<'_> {
        let fits = |entry: &&Entry| {
            entry.kernel == query.kernel
                && entry.types == *query.types
                && entry.axes.keys().eq(query.axes.keys())
        };
        let here = |entry: &&Entry| {
            entry.device == query.device
                && entry.architecture.capability() == query.architecture.capability()
        };
        let candidates = || self.entries.iter().filter(fits);
        if let Some(entry) = candidates().filter(here).find(|entry| entry.axes == *query.axes) {
            return Choice { entry: Some(entry), rule: Rule::ExactShape };
        }
        if let Some(entry) = closest(candidates().filter(here), query.axes) {
            return Choice { entry: Some(entry), rule: Rule::NearestShape };
        }
        let kin =
            |entry: &&Entry| entry.architecture.capability() == query.architecture.capability();
        if let Some(entry) = closest(candidates().filter(kin), query.axes) {
            return Choice { entry: Some(entry), rule: Rule::SameArchitecture };
        }
        Choice { entry: None, rule: Rule::Default }
    }
}

fn closest<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    axes: &BTreeMap<String, i64>,
) -> Option<&'a Entry> {
    let mut best: Option<(f64, &Entry)> = None;
    for entry in entries {
        let distance = distance(&entry.axes, axes);
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, entry));
        }
    }
    best.map(|(_, entry)| entry)
}

/// Squared distance in log space; extents below 1 count as 1.
fn distance(a: &BTreeMap<String, i64>, b: &BTreeMap<String, i64>) -> f64 {
    let log = |extent: i64| (extent.max(1) as f64).ln();
    a.values().zip(b.values()).map(|(&a, &b)| (log(a) - log(b)).powi(2)).sum()
}
