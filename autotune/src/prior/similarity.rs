//! How much a campaign elsewhere says of one here.

use std::collections::{BTreeMap, BTreeSet};

use ridge_spec::record::TuningRecord;

/// Where and on what a campaign runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Identity of the kernel's source and spec, such as its digest; empty where it is unknown.
    pub version: String,
    /// The device's name.
    pub device: String,
    /// Its architecture, such as `sm_90a`; empty where it is unknown.
    pub architecture: String,
    /// The extent of each axis of the workload.
    pub axes: BTreeMap<String, i64>,
    /// The type of each type variable, by its name.
    pub types: BTreeMap<String, String>,
}

/// Weight of a campaign on the same device, on another of the same architecture, and on any other.
const SAME_DEVICE: f64 = 4.0;
const SAME_ARCHITECTURE: f64 = 2.0;
const OTHER_DEVICE: f64 = 1.0;

/// What other types, and another version of the kernel, leave of a campaign's weight.
const OTHER_TYPES: f64 = 0.5;
const OTHER_VERSION: f64 = 0.7;

/// Doublings of a shape that halve the weight.
const HALVING_DOUBLINGS: f64 = 2.0;

/// Doublings that an axis counts for which only one of the two has.
const MISSING_AXIS_DOUBLINGS: f64 = 4.0;

impl Place {
    /// The place of a record.
    pub fn of(record: &TuningRecord) -> Self {
        let types = &record.workload.types;
        Self {
            version: record.spec.to_string(),
            device: record.environment.device.clone(),
            architecture: record.environment.architecture.to_string(),
            axes: record.workload.axes.clone(),
            types: types.iter().map(|(name, dtype)| (name.clone(), dtype.to_string())).collect(),
        }
    }

    /// How much a campaign at `other` says of one here, above 0. The nearest shape counts most,
    /// by the distance of logarithms over all axes; the same device more than the same
    /// architecture, and that more than another.
    pub fn similarity(&self, other: &Self) -> f64 {
        let device = if self.device == other.device {
            SAME_DEVICE
        } else if !self.architecture.is_empty() && self.architecture == other.architecture {
            SAME_ARCHITECTURE
        } else {
            OTHER_DEVICE
        };
        let types = if self.types == other.types { 1.0 } else { OTHER_TYPES };
        let known = !self.version.is_empty() && !other.version.is_empty();
        let version = if known && self.version != other.version { OTHER_VERSION } else { 1.0 };
        device * types * version / (1.0 + self.doublings(other) / HALVING_DOUBLINGS)
    }

    /// The distance of the shapes: over all axes, the root of the squared doublings.
    pub fn doublings(&self, other: &Self) -> f64 {
        let names: BTreeSet<&String> = self.axes.keys().chain(other.axes.keys()).collect();
        let squared = names.into_iter().map(|name| {
            let logarithm = |place: &Self| place.axes.get(name).map(|&n| (n.max(1) as f64).log2());
            match (logarithm(self), logarithm(other)) {
                (Some(a), Some(b)) => (a - b).powi(2),
                _ => MISSING_AXIS_DOUBLINGS.powi(2),
            }
        });
        squared.sum::<f64>().sqrt()
    }
}
