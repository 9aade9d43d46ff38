//! The matrix: what may win, the file, and what is picked from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod record_support;

use std::collections::BTreeMap;

use record_support::{candidate, measured, predicted, record};
use ridge_spec::dtype::Dtype;
use ridge_spec::matrix::{DeriveOptions, Matrix, Query, Rule};
use ridge_spec::outcome::{Outcome, Rejection};
use ridge_spec::record::TuningRecord;
use ridge_spec::target::{Architecture, DeviceProfile};

/// The profile of an H200 that ships.
fn profile() -> DeviceProfile {
    toml::from_str(include_str!("../../runtime/profiles/h200.toml")).unwrap()
}

fn options() -> DeriveOptions {
    DeriveOptions {
        predicted: true,
        profiles: BTreeMap::from([("h200".to_owned(), profile())]),
        ..DeriveOptions::default()
    }
}

fn with(text: &str, outcome: Outcome) -> TuningRecord {
    TuningRecord { candidate: candidate(text), outcome, ..record() }
}

fn rejected() -> Outcome {
    Outcome::Rejected(Rejection::Launch { message: "too many threads".to_owned() })
}

/// `candidate basis time` of each winner.
#[track_caller]
fn check(records: &[TuningRecord], options: &DeriveOptions, expected: &[&str]) -> Matrix {
    let matrix = Matrix::derive(records, options);
    let found: Vec<String> = matrix
        .entries()
        .iter()
        .map(|entry| {
            format!("{} {} {}", entry.candidate, entry.time.basis(), entry.time.median_ns())
        })
        .collect();
    assert_eq!(found, expected);
    let text = matrix.to_toml();
    assert_eq!(Matrix::parse("tuned.toml", &text).unwrap(), matrix);
    matrix
}

#[test]
fn the_file_is_stable() {
    let mut small = with("x=1,mode=wide", measured(&[510, 500, 505, 507, 502, 503, 509]));
    small.workload.name = "decode".to_owned();
    small.workload.axes.insert("rows".to_owned(), 1);
    small.bytes_min = 24_576;
    let mut untyped = with("", predicted(900));
    untyped.kernel = "scan".to_owned();
    untyped.workload.types.clear();
    untyped.environment.profile = "unknown".to_owned();
    untyped.environment.architecture = Architecture::parse("sm_100a").unwrap();
    let matrix = check(
        &[record(), small, untyped],
        &options(),
        &[
            "mode=wide,x=1 measured 505",
            "rows_per_block=1,threads_per_row=128 predicted 16942",
            " predicted 900",
        ],
    );
    insta::assert_snapshot!(matrix.to_toml());
}

#[test]
fn the_fastest_proven_candidate_wins() {
    check(&[], &options(), &[]);
    check(
        &[with("x=1", predicted(30)), with("x=2", predicted(20)), with("x=3", predicted(25))],
        &options(),
        &["x=2 predicted 20"],
    );
    // What was measured beats what was predicted, however fast.
    check(
        &[with("x=1", predicted(30)), with("x=2", measured(&[50])), with("x=3", measured(&[40]))],
        &options(),
        &["x=3 measured 40"],
    );
    check(&[with("x=1", predicted(30))], &DeriveOptions::default(), &[]);
    check(&[with("x=1", rejected())], &options(), &[]);
    let unverified = TuningRecord { verification: None, ..with("x=1", measured(&[10])) };
    let unbuilt = TuningRecord { artifact: None, ..with("x=2", measured(&[11])) };
    check(&[unverified, unbuilt, with("x=3", measured(&[12]))], &options(), &["x=3 measured 12"]);
    let wanted = |name: &str| DeriveOptions { verified_on: vec![name.to_owned()], ..options() };
    check(&[with("x=1", measured(&[10]))], &wanted("ragged"), &["x=1 measured 10"]);
    check(&[with("x=1", measured(&[10]))], &wanted("extreme"), &[]);
}

#[test]
fn a_later_record_of_the_candidate_replaces_the_earlier() {
    check(
        &[with("x=1", predicted(20)), with("x=2", predicted(30)), with("x=1", rejected())],
        &options(),
        &["x=2 predicted 30"],
    );
    check(
        &[with("x=1", rejected()), with("x=2", predicted(30)), with("x=1", predicted(20))],
        &options(),
        &["x=1 predicted 20"],
    );
    let old = TuningRecord {
        spec: ridge_spec::digest::Digest::of(b"older spec"),
        ..with("x=9", measured(&[1]))
    };
    check(&[old.clone(), with("x=1", predicted(20))], &options(), &["x=1 predicted 20"]);
    let asked = DeriveOptions { spec: Some(old.spec), ..options() };
    check(&[old, with("x=1", predicted(20))], &asked, &["x=9 measured 1"]);
}

#[test]
fn ties_do_not_depend_on_the_order_of_the_log() {
    let mut records = vec![
        with("x=3", predicted(20)),
        with("x=10", predicted(20)),
        with("x=2", predicted(20)),
        with("x=4", predicted(20)),
    ];
    for _ in 0..records.len() {
        records.rotate_left(1);
        check(&records, &options(), &["x=2 predicted 20"]);
    }
}

#[track_caller]
fn check_error(edit: impl Fn(&str) -> String, expected: &str) {
    let matrix = Matrix::derive(&[with("x=1", measured(&[40, 41]))], &options());
    let error = Matrix::parse("tuned.toml", &edit(&matrix.to_toml())).unwrap_err();
    assert_eq!(format!("{} {error}", error.code), expected);
}

#[test]
fn a_wrong_file_is_refused_with_its_place() {
    let replace = |from: &'static str, to: &'static str| {
        move |text: &str| {
            assert!(text.contains(from), "{from} in {text}");
            text.replacen(from, to, 1)
        }
    };
    check_error(
        replace("schema = 1", "schema = 9"),
        "matrix.schema tuned.toml:2:10: the schema is 9, this version reads 1",
    );
    check_error(replace("schema = 1", ""), "matrix.schema tuned.toml:1:1: there is no `schema`");
    check_error(
        replace("basis = \"measured\"", "basis = \"guessed\""),
        "matrix.syntax tuned.toml:19:9: unknown variant `guessed`, expected `measured` or \
         `predicted`",
    );
    check_error(
        replace("basis = \"measured\"", "basis = \"predicted\""),
        "matrix.entry tuned.toml:9:1: a predicted entry has an `interval_ns`",
    );
    check_error(
        replace("interval_ns = [40, 41]\n", ""),
        "matrix.entry tuned.toml:9:1: a measured entry has no `interval_ns`",
    );
    check_error(
        replace("interval_ns = [40, 41]", "interval_ns = [41, 50]"),
        "matrix.entry tuned.toml:9:1: `interval_ns` does not hold `median_ns`",
    );
    check_error(
        replace("median_ns = 40", "median_ns = 0"),
        "matrix.entry tuned.toml:9:1: `median_ns` is 0",
    );
    check_error(
        replace("basis", "bases"),
        "matrix.syntax tuned.toml:19:1: unknown field `bases`, expected one of `kernel`, `spec`, \
         `device`, `architecture`, `workload`, `axes`, `types`, `candidate`, `artifact`, `basis`, \
         `median_ns`, `interval_ns`, `fraction_of_roofline`, `record`, `alone`",
    );
    check_error(
        |text| {
            let entry = &text[text.find("[[entry]]").unwrap()..];
            format!("{text}\n{entry}")
        },
        "matrix.duplicate tuned.toml:25:1: a second entry for the workload `qwen3-prefill` on \
         `NVIDIA H200`",
    );
    for text in
        ["", "schema", "schema = 1", "schema = 1\n[compatibility]\n", "\u{0}", "schema = 1.5"]
    {
        assert!(Matrix::parse("tuned.toml", text).is_err(), "{text}");
    }
}

/// What is picked for `device architecture rows cols T`: the rule, and the winner's parameter.
#[track_caller]
fn check_pick(matrix: &Matrix, query: (&str, &str, i64, i64, Dtype), rule: Rule, winner: &str) {
    let (device, architecture, rows, cols, dtype) = query;
    let choice = matrix.pick(&Query {
        kernel: "rmsnorm",
        device,
        architecture: Architecture::parse(architecture).unwrap(),
        axes: &BTreeMap::from([("rows".to_owned(), rows), ("cols".to_owned(), cols)]),
        types: &BTreeMap::from([("T".to_owned(), dtype)]),
    });
    let candidate = choice.entry.map(|entry| entry.candidate.to_string()).unwrap_or_default();
    assert_eq!((choice.rule, candidate.as_str()), (rule, winner));
}

#[test]
fn picks_by_device_then_shape_then_architecture() {
    let at = |text: &str, device: &str, architecture: &str, rows: i64, cols: i64| {
        let mut record = with(text, measured(&[40]));
        record.environment.device = device.to_owned();
        record.environment.architecture = Architecture::parse(architecture).unwrap();
        record.workload.axes =
            BTreeMap::from([("rows".to_owned(), rows), ("cols".to_owned(), cols)]);
        record
    };
    let matrix = Matrix::derive(
        &[
            at("x=1", "NVIDIA H200", "sm_90a", 4096, 4096),
            at("x=2", "NVIDIA H200", "sm_90a", 1, 4096),
            at("x=3", "NVIDIA H100", "sm_90a", 1, 1024),
            at("x=4", "NVIDIA L4", "sm_89", 4096, 4096),
        ],
        &options(),
    );
    let (h200, bf16) = ("NVIDIA H200", Dtype::Bf16);
    check_pick(&matrix, (h200, "sm_90a", 4096, 4096, bf16), Rule::ExactShape, "x=1");
    check_pick(&matrix, (h200, "sm_90", 1, 4096, bf16), Rule::ExactShape, "x=2");
    // 60 rows are nearer to 1 than to 4096 in log space, 70 are not.
    check_pick(&matrix, (h200, "sm_90a", 60, 4096, bf16), Rule::NearestShape, "x=2");
    check_pick(&matrix, (h200, "sm_90a", 70, 4096, bf16), Rule::NearestShape, "x=1");
    check_pick(&matrix, ("NVIDIA GH200", "sm_90", 1, 512, bf16), Rule::SameArchitecture, "x=3");
    check_pick(&matrix, ("NVIDIA B200", "sm_100a", 4096, 4096, bf16), Rule::Default, "");
    check_pick(&matrix, (h200, "sm_90a", 4096, 4096, Dtype::F16), Rule::Default, "");
    // Halfway between two shapes the first in the matrix's order wins.
    check_pick(&matrix, (h200, "sm_90a", 64, 4096, bf16), Rule::NearestShape, "x=2");
}
