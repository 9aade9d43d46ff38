//! Outcomes: what cannot be written down, what JSON they are, what is computed from samples.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use ridge_spec::outcome::{
    CompilerMessage, CostTerm, Finding, FindingKind, Limit, Outcome, Phase, Prediction, Rejection,
    Resource, Samples, SamplesError, Severity, SourceLine, TermTime,
};

fn finding(kind: FindingKind) -> Finding {
    Finding {
        kind,
        message: "load of 4 bytes ends 4 bytes past `x`".to_owned(),
        source: Some(SourceLine { file: "rmsnorm.cu".to_owned(), line: 12 }),
        inlined_at: Vec::new(),
        other: None,
        instruction: None,
        buffer: Some("x".to_owned()),
        offset_bytes: Some(4096),
        block: [1, 0, 0],
        thread: Some([3, 0, 0]),
        lanes: 8,
        occurrences: 2,
    }
}

fn compile_rejection(n_errors: u32) -> Rejection {
    let message = |line| CompilerMessage {
        file: Some("rmsnorm.cu".to_owned()),
        line: Some(line),
        column: None,
        severity: Severity::Error,
        message: format!("identifier \"v{line}\" is undefined"),
    };
    Rejection::Compile { diagnostics: (1..=n_errors).map(message).collect(), log: String::new() }
}

fn samples(latency_ns: &[u64]) -> Samples {
    Samples::new(latency_ns.to_vec()).unwrap()
}

#[track_caller]
fn check_json(outcome: &Outcome, expected: &str) {
    let text = serde_json::to_string(outcome).unwrap();
    assert_eq!(text, expected);
    assert_eq!(&serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
}

#[test]
fn outcomes_have_stable_json() {
    check_json(&Outcome::Measured(samples(&[7, 5])), r#"{"measured":{"latency_ns":[7,5]}}"#);
    check_json(
        &Outcome::Predicted(Prediction {
            time_ns: 17,
            limiting: CostTerm::DeviceMemory,
            terms: vec![TermTime { term: CostTerm::L2, time_ns: f64::INFINITY }],
            profile: "h200".to_owned(),
        }),
        r#"{"predicted":{"time_ns":17,"limiting":"device_memory","terms":[{"term":"l2","time_ns":"inf"}],"profile":"h200"}}"#,
    );
    check_json(
        &Outcome::Rejected(Rejection::Timeout {
            phase: Phase::Compile,
            limit: Some(Limit::TimeNs(5)),
            finding: None,
        }),
        r#"{"rejected":{"kind":"timeout","phase":"compile","limit":{"time_ns":5}}}"#,
    );
    check_json(
        &Outcome::Rejected(Rejection::Resources {
            resource: Resource::SharedMemoryPerBlock,
            required: 262_144,
            limit: 232_448,
        }),
        r#"{"rejected":{"kind":"resources","resource":"shared_memory_per_block","required":262144,"limit":232448}}"#,
    );
}

#[test]
fn every_finding_becomes_the_rejection_of_its_name_and_a_trap_a_crash() {
    for kind in [
        FindingKind::OutOfBounds,
        FindingKind::Misaligned,
        FindingKind::UninitializedRead,
        FindingKind::Race,
        FindingKind::DivergentBarrier,
        FindingKind::UnwrittenOutput,
        FindingKind::ModifiedInput,
        FindingKind::EarlyAccess,
        FindingKind::Timeout,
        FindingKind::Trap,
        FindingKind::Unsupported,
    ] {
        let rejection = Rejection::from_finding(finding(kind));
        let code = if kind == FindingKind::Trap { "crash" } else { kind.code() };
        assert_eq!(rejection.code(), code);
        assert_eq!(rejection.finding().unwrap().kind, kind);
        assert!(rejection.is_consistent());
        let json = serde_json::to_value(&rejection).unwrap();
        assert_eq!(json["kind"], code);
        assert_eq!(serde_json::from_value::<Rejection>(json).unwrap(), rejection);
    }
    assert!(!Rejection::Race(Box::new(finding(FindingKind::Misaligned))).is_consistent());
}

#[test]
fn summaries_are_one_line() {
    let summaries: Vec<String> = [
        Outcome::Measured(samples(&[100, 120, 110])),
        Outcome::Rejected(Rejection::from_finding(finding(FindingKind::OutOfBounds))),
        Outcome::Rejected(Rejection::from_finding(finding(FindingKind::Timeout))),
        Outcome::Rejected(compile_rejection(0)),
        Outcome::Rejected(compile_rejection(1)),
        Outcome::Rejected(compile_rejection(3)),
        Outcome::Rejected(Rejection::Crash {
            phase: Phase::Measure,
            message: "signal 11\n(core dumped)".to_owned(),
            finding: None,
        }),
        Outcome::Rejected(Rejection::ImpossibleTime { time_ns: 3, floor_ns: 14_000 }),
    ]
    .iter()
    .map(|outcome| format!("{}: {}", outcome.code(), outcome.summary()))
    .collect();
    insta::assert_snapshot!(summaries.join("\n"));
}

#[test]
fn a_measurement_cannot_be_empty_or_take_no_time() {
    assert_eq!(Samples::new(vec![]), Err(SamplesError::Empty));
    assert_eq!(Samples::new(vec![4, 0]), Err(SamplesError::Zero { index: 1 }));
    for text in [r#"{"latency_ns":[]}"#, r#"{"latency_ns":[0]}"#, r#"{"latency_ns":[1],"x":1}"#] {
        assert!(serde_json::from_str::<Samples>(text).is_err(), "{text}");
    }
}

#[test]
fn median_and_quantiles_are_exact_integers() {
    assert_eq!(samples(&[9]).median_ns(), 9);
    assert_eq!(samples(&[3, 1, 2]).median_ns(), 2);
    assert_eq!(samples(&[4, 1, 2, 7]).median_ns(), 3);
    assert_eq!(samples(&[u64::MAX, u64::MAX]).median_ns(), u64::MAX);
    let decile = samples(&(1..=11).map(|n| n * 10).collect::<Vec<_>>());
    assert_eq!(decile.quantile_ns(0.0), 10);
    assert_eq!(decile.quantile_ns(0.25), 35);
    assert_eq!(decile.quantile_ns(1.0), 110);
    assert_eq!(decile.quantile_ns(f64::NAN), 10);
}

#[test]
fn the_interval_is_the_textbook_one() {
    // For 20 samples the 6th and the 15th hold the median with probability 0.9586.
    let twenty = samples(&(1..=20).collect::<Vec<_>>()).interval(0.95);
    assert_eq!((twenty.low_ns, twenty.high_ns), (6, 15));
    assert!((twenty.confidence - 0.9586).abs() < 1e-4, "{}", twenty.confidence);
    // Five are too few for 0.95: the range holds it with 1 - 2/32.
    let five = samples(&[1, 2, 3, 4, 5]).interval(0.95);
    assert_eq!((five.low_ns, five.high_ns), (1, 5));
    assert!((five.confidence - 0.9375).abs() < 1e-9);
    let one = samples(&[5]).interval(0.95);
    assert_eq!((one.low_ns, one.high_ns), (5, 5));
    assert!(one.confidence.abs() < 1e-9);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_interval_holds_the_median(latency_ns in prop::collection::vec(1u64.., 1..300)) {
        let samples = Samples::new(latency_ns).unwrap();
        let interval = samples.interval(0.95);
        prop_assert!(interval.low_ns <= samples.median_ns());
        prop_assert!(samples.median_ns() <= interval.high_ns);
        prop_assert!(samples.len() < 6 || interval.confidence >= 0.95);
    }
}
