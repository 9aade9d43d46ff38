//! Tuning records for tests.

use ridge_spec::digest::Digest;
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::record::{
    Environment, PhaseTimes, Protocol, RECORD_SCHEMA, RecordedWorkload, TuningRecord,
};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;

/// A record of `kernel` on `device` with `rows` rows; a time of 0 is a rejection.
pub(crate) fn record(device: &str, rows: i64, candidate: &str, time_ns: u64) -> TuningRecord {
    assert_eq!(RECORD_SCHEMA, 1);
    let architecture = if device.contains("200") { "sm_90a" } else { "sm_80" };
    TuningRecord {
        spec: Digest::of(b"spec"),
        kernel: "k".to_owned(),
        workload: RecordedWorkload {
            name: format!("rows-{rows}"),
            axes: [("rows".to_owned(), rows)].into(),
            types: [].into(),
            scalars: [].into(),
        },
        candidate: Candidate::parse(candidate).unwrap(),
        artifact: None,
        resources: None,
        counters: None,
        launch: None,
        bytes_min: 1,
        flops: 1,
        environment: Environment {
            device: device.to_owned(),
            architecture: Architecture::parse(architecture).unwrap(),
            executor: "cuda:0".to_owned(),
            profile: device.to_lowercase(),
            profile_digest: Digest::of(device.as_bytes()),
            driver: None,
            toolkit: "nvrtc 13.0.88".to_owned(),
            clocks: None,
        },
        protocol: Protocol { name: "test".to_owned(), settings: [].into() },
        verification: None,
        outcome: match Samples::new(vec![time_ns]) {
            Ok(samples) => Outcome::Measured(samples),
            Err(_) => Outcome::Rejected(Rejection::Launch { message: "no".to_owned() }),
        },
        companions: None,
        prediction: None,
        refused_on: None,
        seed: 0,
        sequence: 0,
        phases: PhaseTimes::default(),
        tool_version: "0".to_owned(),
    }
}
