//! Schema 1.

use serde::{Deserialize, Serialize};

use crate::artifact::Resources;
use crate::counters::Counters;
use crate::digest::Digest;
use crate::launch::LaunchConfig;
use crate::outcome::{Outcome, Prediction};
use crate::record::{
    Companions, Environment, PhaseTimes, Protocol, RecordedWorkload, TuningRecord,
    VerificationSummary,
};
use crate::space::Candidate;

/// A record as it stands in the log; fields in the order in which they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema: u32,
    /// `None` only while the digest is computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<Digest>,
    kernel: String,
    spec: Digest,
    workload: RecordedWorkload,
    candidate: Candidate,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prediction: Option<Prediction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    companions: Option<Companions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused_on: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verification: Option<VerificationSummary>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    launch: Option<LaunchConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counters: Option<Counters>,
    bytes_min: u64,
    flops: u64,
    environment: Environment,
    protocol: Protocol,
    seed: u64,
    sequence: u64,
    phases: PhaseTimes,
    tool_version: String,
}

impl Record {
    /// The wire form, without digest.
    pub(super) fn of(record: &TuningRecord) -> Self {
        let record = record.clone();
        Self {
            schema: 1,
            digest: None,
            kernel: record.kernel,
            spec: record.spec,
            workload: record.workload,
            candidate: record.candidate,
            outcome: record.outcome,
            prediction: record.prediction,
            companions: record.companions,
            refused_on: record.refused_on,
            verification: record.verification,
            artifact: record.artifact,
            resources: record.resources,
            launch: record.launch,
            counters: record.counters,
            bytes_min: record.bytes_min,
            flops: record.flops,
            environment: record.environment,
            protocol: record.protocol,
            seed: record.seed,
            sequence: record.sequence,
            phases: record.phases,
            tool_version: record.tool_version,
        }
    }

    /// The record, checked beyond what its types say.
    pub(super) fn into_record(self) -> Result<TuningRecord, String> {
        if let Outcome::Rejected(rejection) = &self.outcome
            && !rejection.is_consistent()
        {
            return Err(format!("the finding of `{}` is of another kind", rejection.code()));
        }
        if self.refused_on.is_some() && self.outcome.rejection().is_none() {
            return Err("`refused_on` without a rejection".to_owned());
        }
        if self.companions.is_some() && !matches!(self.outcome, Outcome::Measured(_)) {
            return Err("`companions` without a measurement".to_owned());
        }
        Ok(TuningRecord {
            spec: self.spec,
            kernel: self.kernel,
            workload: self.workload,
            candidate: self.candidate,
            artifact: self.artifact,
            resources: self.resources,
            counters: self.counters,
            launch: self.launch,
            bytes_min: self.bytes_min,
            flops: self.flops,
            environment: self.environment,
            protocol: self.protocol,
            verification: self.verification,
            outcome: self.outcome,
            prediction: self.prediction,
            companions: self.companions,
            refused_on: self.refused_on,
            seed: self.seed,
            sequence: self.sequence,
            phases: self.phases,
            tool_version: self.tool_version,
        })
    }
}
