//! How near a campaign is to those that the trees were grown on.

use std::collections::BTreeSet;

use super::features::{BYTES, Features, PARAMETER};

/// Trees do not extrapolate: how far outside the sizes seen a workload may be.
const BEYOND: f64 = 4.0;

/// How near a campaign is to those that the trees were grown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kinship {
    /// Of a kernel that they have seen on another shape.
    Known,
    /// Of a kernel all of whose parameters they have seen, and a size not far from those: one
    /// parameter that nobody has seen, such as an algorithm, can decide everything.
    Related,
    /// Of another kernel.
    New,
}

impl Kinship {
    pub(super) const ALL: [Self; 3] = [Self::Known, Self::Related, Self::New];
}

/// What trees have seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    kernels: BTreeSet<String>,
    parameters: BTreeSet<String>,
    bytes: Option<(f64, f64)>,
}

impl Seen {
    /// Adds a campaign by one of its candidates.
    pub(super) fn add(&mut self, kernel: &str, features: &Features) {
        self.kernels.insert(kernel.to_owned());
        self.parameters.extend(parameters(features).map(str::to_owned));
        if let Some(&bytes) = features.get(BYTES) {
            let (low, high) = self.bytes.unwrap_or((bytes, bytes));
            self.bytes = Some((low.min(bytes), high.max(bytes)));
        }
    }

    pub(super) fn kinship(&self, kernel: &str, features: &Features) -> Kinship {
        if self.kernels.contains(kernel) {
            return Kinship::Known;
        }
        let are_alike = parameters(features).all(|name| self.parameters.contains(name));
        let is_near = self
            .bytes
            .zip(features.get(BYTES))
            .is_some_and(|((low, high), bytes)| low / BEYOND <= *bytes && *bytes <= high * BEYOND);
        if are_alike && is_near { Kinship::Related } else { Kinship::New }
    }
}

/// The names of a candidate's parameters.
fn parameters(features: &Features) -> impl Iterator<Item = &str> {
    let names = features.keys().filter_map(|name| name.strip_prefix(PARAMETER));
    names.map(|name| name.split('=').next().unwrap_or(name))
}
