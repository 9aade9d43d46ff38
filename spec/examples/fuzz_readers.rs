//! Hands damaged specs, record logs, candidates and expressions to their readers; none may panic.
//!
//! `cargo run --release -p ridge-spec --example fuzz_readers [INPUTS [SEED]]`, a million by default.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program of its own: it prints, and stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use ridge_spec::digest::Digest;
use ridge_spec::expression::{IntegerExpression, Origin, Scope};
use ridge_spec::kernel::KernelSpec;
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::record::{
    Environment, PhaseTimes, Protocol, RecordedWorkload, TuningRecord, read_log, to_line,
};
use ridge_spec::space::Candidate;
use ridge_spec::target::Architecture;

#[path = "../tests/kernel_fixture/mod.rs"]
mod kernel_fixture;

use kernel_fixture::mutation::{Numbers, damaged};
use kernel_fixture::{EXAMPLE, example, profile};

/// How often each reader took what it was given, of how many.
#[derive(Default)]
struct Tally {
    n_inputs: u64,
    n_accepted: u64,
}

impl Tally {
    fn count(&mut self, accepted: bool) {
        self.n_inputs += 1;
        self.n_accepted += u64::from(accepted);
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (n_inputs, seed) = match (parse(arguments.next(), 1_000_000), parse(arguments.next(), 0)) {
        (Some(n_inputs), Some(seed)) => (n_inputs, seed),
        _ => {
            eprintln!("usage: fuzz_readers [INPUTS [SEED]]");
            return ExitCode::from(2);
        }
    };
    let tallies = fuzz(n_inputs, seed);
    let mut n_total = 0;
    for (reader, tally) in &tallies {
        let Tally { n_inputs, n_accepted } = tally;
        println!("{reader}: {n_inputs} inputs, {n_accepted} accepted");
        n_total += n_inputs;
    }
    println!("{n_total} damaged inputs, no panic");
    ExitCode::SUCCESS
}

fn parse(argument: Option<String>, default: u64) -> Option<u64> {
    argument.map_or(Some(default), |text| text.parse().ok())
}

/// Reads `n_inputs` damaged texts: of ten, six specs, two logs, a candidate and an expression.
fn fuzz(n_inputs: u64, seed: u64) -> BTreeMap<&'static str, Tally> {
    let (profile, log) = (profile(), log());
    let constraint = "hold == 'shared' || cols * sizeof(T) <= min(threads_per_row, 64) * 256";
    let mut tallies: BTreeMap<&'static str, Tally> = BTreeMap::new();
    for input in 0..n_inputs {
        let mut numbers = Numbers(seed.wrapping_mul(0x1_0000_0001).wrapping_add(input));
        let (reader, accepted) = match input % 10 {
            0 | 1 => {
                let read = read_log("records.jsonl", &damaged(&log, &mut numbers));
                ("record log", !read.records.is_empty())
            }
            2 => {
                let bytes = damaged("hold=shared,registers=64,threads_per_row=128", &mut numbers);
                ("candidate", Candidate::parse(&String::from_utf8_lossy(&bytes)).is_ok())
            }
            3 => {
                let bytes = damaged(constraint, &mut numbers);
                let text = String::from_utf8_lossy(&bytes);
                let expression = IntegerExpression::parse(&text, &Origin::standalone("e", &text));
                let value = expression.as_ref().map(|own| own.evaluate(&Scope::new()));
                drop(value);
                ("expression", expression.is_ok())
            }
            _ => {
                let bytes = damaged(EXAMPLE, &mut numbers);
                let spec = KernelSpec::parse("kernel.toml", &String::from_utf8_lossy(&bytes));
                for workload in spec.iter().flat_map(|spec| &spec.workloads) {
                    let instance = spec.as_ref().map(|spec| spec.bind(workload, &profile));
                    drop(instance);
                }
                ("spec", spec.is_ok())
            }
        };
        tallies.entry(reader).or_default().count(accepted);
    }
    tallies
}

/// A log of a few records.
fn log() -> String {
    let spec = example();
    let outcomes = [
        Outcome::Rejected(Rejection::Launch { message: "`grid` is 0 along x".to_owned() }),
        Outcome::Measured(Samples::new(vec![1200, 1180, 1190]).expect("three samples")),
    ];
    let record = |(sequence, outcome)| TuningRecord {
        spec: spec.digest(&BTreeMap::new()),
        kernel: spec.name.to_string(),
        workload: RecordedWorkload::from(&spec.workloads[0]),
        candidate: spec.space.default.clone().unwrap_or_default(),
        artifact: Some(Digest::of(b"artifact")),
        resources: None,
        counters: None,
        launch: None,
        bytes_min: 1 << 26,
        flops: 1 << 26,
        environment: Environment {
            device: "NVIDIA H200".to_owned(),
            architecture: Architecture::parse("sm_90a").expect("an architecture"),
            executor: "cuda:0".to_owned(),
            profile: "h200".to_owned(),
            profile_digest: Digest::of(b"profile"),
            driver: Some("580.95".to_owned()),
            toolkit: "nvrtc 13.0.88".to_owned(),
            clocks: None,
        },
        protocol: Protocol { name: "graph-1".to_owned(), settings: BTreeMap::new() },
        verification: None,
        outcome,
        prediction: None,
        companions: None,
        refused_on: None,
        seed: 7,
        sequence,
        phases: PhaseTimes::default(),
        tool_version: "0.1.0".to_owned(),
    };
    (0..).zip(outcomes).map(record).map(|record| to_line(&record)).collect()
}
