//! Records to matrix.

use std::collections::BTreeMap;

use super::{Compatibility, Entry, EntryTime, Matrix, alone, compute_capability};
use crate::digest::Digest;
use crate::outcome::Outcome;
use crate::record::TuningRecord;
use crate::space::Candidate;
use crate::target::DeviceProfile;

/// How a matrix is derived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeriveOptions {
    /// Whether a predicted time may win where nothing was measured.
    pub predicted: bool,
    /// Only records of this spec; `None` for each kernel's latest in the log.
    pub spec: Option<Digest>,
    /// Names of workloads that a winner must have been checked on.
    pub verified_on: Vec<String>,
    /// Device profiles by name, for the fraction of roofline.
    pub profiles: BTreeMap<String, DeviceProfile>,
}

/// The least time to move `bytes` at the data sheet's bandwidth, nanoseconds.
pub fn memory_floor_ns(bytes: u64, profile: &DeviceProfile) -> f64 {
    bytes as f64 / profile.memory.peak_bandwidth * 1e9
}

impl Matrix {
    /// Derives the matrix from the records of one or more campaigns, in the order of the log.
    ///
    /// For each kernel only the spec of its last record counts (or the one asked for). Of a
    /// candidate's records for one device and workload only the last counts, so a rejection takes
    /// back what was measured or predicted before it. What has no verification or no artifact
    /// cannot win. A measured candidate beats every predicted one; then the shorter time wins, then
    /// the lesser candidate, then the lesser digest. Where another measured one is surely faster
    /// alone, the entry has that too.
    pub fn derive<'a>(
        records: impl IntoIterator<Item = &'a TuningRecord>,
        options: &DeriveOptions,
    ) -> Self {
        let records: Vec<&TuningRecord> = records.into_iter().collect();
        let mut specs: BTreeMap<&str, Digest> = BTreeMap::new();
        for record in &records {
            specs.insert(&record.kernel, options.spec.unwrap_or(record.spec));
        }
        let mut latest: BTreeMap<Bucket<'_>, BTreeMap<&Candidate, &TuningRecord>> = BTreeMap::new();
        for record in records {
            if specs.get(record.kernel.as_str()) == Some(&record.spec) {
                latest.entry(bucket(record)).or_default().insert(&record.candidate, record);
            }
        }
        let mut toolkits: Vec<&str> = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for candidates in latest.values() {
            let eligible: Vec<(&TuningRecord, Entry)> = candidates
                .values()
                .filter_map(|record| Some((*record, entry(record, options)?)))
                .collect();
            let Some((record, entry)) = best(&eligible) else { continue };
            toolkits.push(&record.environment.toolkit);
            entries.push(Entry { alone: alone::winner(record, &eligible), ..entry.clone() });
        }
        let compatibility = compatibility(&entries, &toolkits);
        let mut matrix = Self { compatibility, entries };
        matrix.sort();
        matrix
    }

    pub(super) fn sort(&mut self) {
        self.entries.sort_by(|a, b| key(a).cmp(&key(b)));
    }
}

/// What may stand in a matrix once.
type Key<'a> = (
    &'a str,
    &'a str,
    String,
    &'a BTreeMap<String, crate::dtype::Dtype>,
    &'a BTreeMap<String, i64>,
);

pub(super) fn key(entry: &Entry) -> Key<'_> {
    let architecture = entry.architecture.to_string();
    (&entry.kernel, &entry.device, architecture, &entry.types, &entry.axes)
}

/// Device and workload of a record, as text.
type Bucket<'a> = (&'a str, &'a str, String, String);

fn bucket(record: &TuningRecord) -> Bucket<'_> {
    let axes = record.workload.axes.iter().map(|(name, value)| format!("{name}={value}"));
    let types = record.workload.types.iter().map(|(name, dtype)| format!("{name}={dtype}"));
    let shape: Vec<String> = axes.chain(types).collect();
    let architecture = record.environment.architecture.to_string();
    (&record.kernel, &record.environment.device, architecture, shape.join(","))
}

/// The winner among the entries that a bucket's records would make.
fn best<'r, 'e>(
    eligible: &'e [(&'r TuningRecord, Entry)],
) -> Option<&'e (&'r TuningRecord, Entry)> {
    let is_predicted = |entry: &Entry| matches!(entry.time, EntryTime::Predicted { .. });
    eligible.iter().min_by(|(_, a), (_, b)| {
        let (a_ns, b_ns) = (a.time.median_ns(), b.time.median_ns());
        let rank_a = (is_predicted(a), a_ns, &a.candidate, a.record);
        rank_a.cmp(&(is_predicted(b), b_ns, &b.candidate, b.record))
    })
}

/// The entry a record would make; `None` where it cannot win.
fn entry(record: &TuningRecord, options: &DeriveOptions) -> Option<Entry> {
    let verification = record.verification.as_ref()?;
    if !options.verified_on.iter().all(|name| verification.workloads.contains(name)) {
        return None;
    }
    let time = match &record.outcome {
        Outcome::Measured(samples) => {
            let interval = samples.interval(0.95);
            let interval_ns = (interval.low_ns, interval.high_ns);
            EntryTime::Measured { median_ns: samples.median_ns(), interval_ns }
        }
        Outcome::Predicted(prediction) if options.predicted && prediction.time_ns > 0 => {
            EntryTime::Predicted { time_ns: prediction.time_ns }
        }
        Outcome::Predicted(_) | Outcome::Rejected(_) => return None,
    };
    // TOML has no larger integers; three centuries are no time of a kernel.
    let longest = match time {
        EntryTime::Measured { interval_ns: (_, high), .. } => high,
        EntryTime::Predicted { time_ns } => time_ns,
    };
    i64::try_from(longest).ok()?;
    let profile = options.profiles.get(&record.environment.profile);
    let fraction = profile.map(|profile| {
        let fraction = memory_floor_ns(record.bytes_min, profile) / time.median_ns() as f64;
        (fraction * 1e4).round() / 1e4
    });
    Some(Entry {
        kernel: record.kernel.clone(),
        spec: record.spec,
        device: record.environment.device.clone(),
        architecture: record.environment.architecture,
        workload: record.workload.name.clone(),
        axes: record.workload.axes.clone(),
        types: record.workload.types.clone(),
        candidate: record.candidate.clone(),
        artifact: record.artifact?,
        time,
        fraction_of_roofline: fraction.filter(|fraction| fraction.is_finite()),
        record: record.digest(),
        alone: None,
    })
}

/// What the winners need: the newest of their toolkits decides.
fn compatibility(entries: &[Entry], toolkits: &[&str]) -> Compatibility {
    let mut architectures: Vec<_> = entries.iter().map(|entry| entry.architecture).collect();
    architectures.sort_unstable_by_key(|architecture| architecture.capability());
    architectures.dedup_by_key(|architecture| architecture.capability());
    let cuda = toolkits.iter().filter_map(|toolkit| cuda_version(toolkit)).max();
    Compatibility {
        compute_capabilities: architectures.into_iter().map(compute_capability).collect(),
        cuda_minimum: cuda.map_or_else(String::new, |(major, minor)| format!("{major}.{minor}")),
        driver_minimum: cuda.map_or("", |(major, _)| driver_minimum(major)).to_owned(),
    }
}

/// Major and minor of `nvrtc 13.0.88`.
fn cuda_version(toolkit: &str) -> Option<(u32, u32)> {
    let mut parts = toolkit.rsplit(' ').next()?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The oldest driver branch that runs any minor version of a CUDA major version (NVIDIA, "CUDA
/// Compatibility", minor version compatibility); empty for a major version it does not list.
const fn driver_minimum(cuda_major: u32) -> &'static str {
    match cuda_major {
        11 => "450",
        12 => "525",
        13 => "580",
        _ => "",
    }
}
