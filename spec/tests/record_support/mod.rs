//! A record to change in tests.

use std::collections::BTreeMap;

use ridge_spec::artifact::Resources;
use ridge_spec::counters::Counters;
use ridge_spec::digest::Digest;
use ridge_spec::dtype::Dtype;
use ridge_spec::launch::LaunchConfig;
use ridge_spec::outcome::{CostTerm, Outcome, Prediction, Samples, TermTime};
use ridge_spec::record::{
    BlocksVerified, Environment, PhaseTimes, Protocol, RecordedWorkload, TuningRecord,
    VerificationSummary,
};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;

pub(crate) fn candidate(text: &str) -> Candidate {
    Candidate::parse(text).unwrap()
}

pub(crate) fn measured(latency_ns: &[u64]) -> Outcome {
    Outcome::Measured(Samples::new(latency_ns.to_vec()).unwrap())
}

pub(crate) fn predicted(time_ns: u64) -> Outcome {
    Outcome::Predicted(Prediction {
        time_ns,
        limiting: CostTerm::DeviceMemory,
        terms: vec![
            TermTime { term: CostTerm::Launch, time_ns: 1130.0 },
            TermTime { term: CostTerm::DeviceMemory, time_ns: 15_812.25 },
        ],
        profile: "h200".to_owned(),
    })
}

/// A verified prediction of `rmsnorm` on a 4096 x 4096 workload for an H200.
pub(crate) fn record() -> TuningRecord {
    TuningRecord {
        spec: Digest::of(b"spec"),
        kernel: "rmsnorm".to_owned(),
        workload: RecordedWorkload {
            name: "qwen3-prefill".to_owned(),
            axes: BTreeMap::from([("rows".to_owned(), 4096), ("cols".to_owned(), 4096)]),
            types: BTreeMap::from([("T".to_owned(), Dtype::Bf16)]),
            scalars: BTreeMap::new(),
        },
        candidate: candidate("threads_per_row=128,rows_per_block=1"),
        artifact: Some(Digest::of(b"artifact")),
        resources: Some(Resources { registers: 40, ..Resources::default() }),
        counters: Some(Counters { blocks: 6, thread_instructions: 12_000, ..Counters::default() }),
        launch: Some(LaunchConfig {
            grid: [4096, 1, 1],
            block: [128, 1, 1],
            shared_memory_bytes: 128,
            cluster: None,
            programmatic: false,
        }),
        bytes_min: 67_117_056,
        flops: 67_000_000,
        environment: Environment {
            device: "NVIDIA H200".to_owned(),
            architecture: Architecture::parse("sm_90a").unwrap(),
            executor: "emulator".to_owned(),
            profile: "h200".to_owned(),
            profile_digest: Digest::of(b"profile"),
            driver: None,
            toolkit: "nvrtc 13.0.88".to_owned(),
            clocks: None,
        },
        protocol: Protocol { name: "static-model-1".to_owned(), settings: BTreeMap::new() },
        verification: Some(VerificationSummary {
            workloads: vec!["qwen3-prefill".to_owned(), "ragged".to_owned()],
            distributions: vec!["normal".to_owned(), "wide-range".to_owned()],
            blocks: BlocksVerified::Sampled(6),
            worst_error: 0.41,
        }),
        outcome: predicted(16_942),
        prediction: None,
        companions: None,
        refused_on: None,
        seed: 7,
        sequence: 12,
        phases: PhaseTimes {
            compile_ns: 41_000_000,
            verify_ns: 6_500_000,
            ..PhaseTimes::default()
        },
        tool_version: "0.1.0".to_owned(),
    }
}
