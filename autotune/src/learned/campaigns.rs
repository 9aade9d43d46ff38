//! Recorded campaigns as what the model is trained on.

use std::collections::BTreeMap;

use ridge_spec::outcome::Outcome;
use ridge_spec::record::TuningRecord;
use ridge_spec::target::DeviceProfile;

use super::features::{Features, Subject, features};
use super::kinship::{Kinship, Seen};
use crate::cost::{CostInputs, Work, estimate};

/// A campaign on one shape: a kernel, a device, and a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCampaign {
    /// The kernel's name.
    pub kernel: String,
    /// The device's name.
    pub device: String,
    /// The workload, as text.
    pub workload: String,
    pub(super) rows: Vec<Row>,
}

/// A measured candidate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) features: Features,
    /// Logarithms of nanoseconds.
    pub(super) predicted: f64,
    pub(super) measured: f64,
}

impl RecordedCampaign {
    /// Measured candidates.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether none was measured.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether the other is of the same kernel and workload, on whatever device.
    pub(super) fn is_same_shape(&self, other: &Self) -> bool {
        self.kernel == other.kernel && self.workload == other.workload
    }

    pub(super) fn kinship(&self, seen: &Seen) -> Kinship {
        self.rows.first().map_or(Kinship::New, |row| seen.kinship(&self.kernel, &row.features))
    }

    pub(super) fn predicted(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.predicted).collect()
    }

    pub(super) fn measured(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.measured).collect()
    }
}

/// The campaigns of a log: for each version of a kernel, device and workload the measured
/// candidates whose resources, launch and counters are recorded, in the order in which they come.
/// Of several records of a candidate the first counts: finalists are timed again in another
/// session, whose times do not compare with the others'. `profile` answers the profile of that
/// name, if it is known; records of others are left out. Campaigns of fewer than `least` candidates
/// are left out too.
pub fn recorded_campaigns<'p>(
    records: &[TuningRecord],
    profile: impl Fn(&str) -> Option<&'p DeviceProfile>,
    least: usize,
) -> Vec<RecordedCampaign> {
    let mut places = BTreeMap::new();
    let mut campaigns: Vec<RecordedCampaign> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for record in records {
        let environment = &record.environment;
        let workload = record.workload.to_string();
        let key = (record.spec.to_string(), environment.device.clone(), workload.clone());
        let Some(row) = profile(&environment.profile).and_then(|profile| row(record, profile))
        else {
            continue;
        };
        if !seen.insert((key.clone(), record.candidate.clone())) {
            continue;
        }
        let at = *places.entry(key).or_insert_with(|| {
            let (kernel, device) = (record.kernel.clone(), environment.device.clone());
            campaigns.push(RecordedCampaign { kernel, device, workload, rows: Vec::new() });
            campaigns.len() - 1
        });
        campaigns[at].rows.push(row);
    }
    campaigns.retain(|campaign| campaign.len() >= least.max(1));
    campaigns
}

fn row(record: &TuningRecord, profile: &DeviceProfile) -> Option<Row> {
    let Outcome::Measured(samples) = &record.outcome else { return None };
    let inputs = cost_inputs(record)?;
    let subject = Subject {
        candidate: &record.candidate,
        axes: &record.workload.axes,
        inputs: &inputs,
        profile,
    };
    let estimate = estimate(&inputs, profile);
    Some(Row {
        features: features(&subject, &estimate),
        predicted: (estimate.prediction.time_ns.max(1) as f64).ln(),
        measured: (samples.median_ns().max(1) as f64).ln(),
    })
}

/// What the model knew of a recorded candidate; `None` where it did not get so far. A record does
/// not say how the bytes divide into reads and writes: what the counted blocks wrote does.
pub fn cost_inputs(record: &TuningRecord) -> Option<CostInputs> {
    let (resources, launch) = (record.resources?, record.launch?);
    let counters = record.counters?;
    let written = counters.block_sectors_written as f64 / counters.blocks.max(1) as f64
        * launch.blocks() as f64
        * 32.0;
    let share = (written / record.bytes_min.max(1) as f64).clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count, from 0 to it"
    )]
    let written_bytes = (share * record.bytes_min as f64).round() as u64;
    Some(CostInputs {
        resources,
        launch,
        counters,
        work: Work {
            read_bytes: record.bytes_min.saturating_sub(written_bytes),
            written_bytes,
            flops: record.flops,
        },
    })
}
