//! The second winner of a bucket: who is surely faster behind a kernel that triggers nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "shared with other tests, which need more of it")]
mod record_support;

use proptest::prelude::*;
use record_support::{candidate, measured, record};
use ridge_spec::digest::Digest;
use ridge_spec::matrix::{AloneWinner, DeriveOptions, EntryTime, Matrix, Situation};
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::record::{Companions, TuningRecord};

/// A measured finalist: its times in a chain and alone, both around a median.
#[derive(Clone, Copy, Debug)]
struct Finalist {
    x: i64,
    programmatic: bool,
    chain_ns: u64,
    alone_ns: Option<u64>,
    /// How far its times alone are from their median, nanoseconds.
    spread_ns: u64,
}

const fn plain(x: i64, chain_ns: u64, alone_ns: u64) -> Finalist {
    Finalist { x, programmatic: false, chain_ns, alone_ns: Some(alone_ns), spread_ns: 4 }
}

const fn early(x: i64, chain_ns: u64, alone_ns: u64) -> Finalist {
    Finalist { programmatic: true, ..plain(x, chain_ns, alone_ns) }
}

fn samples(median_ns: u64, spread_ns: u64) -> Samples {
    Samples::new([median_ns - spread_ns, median_ns + spread_ns].repeat(9)).unwrap()
}

fn finalist(own: Finalist) -> TuningRecord {
    let mut record = record();
    record.candidate = candidate(&format!("x={}", own.x));
    record.artifact = Some(Digest::of(&own.x.to_le_bytes()));
    if let Some(launch) = &mut record.launch {
        launch.programmatic = own.programmatic;
    }
    record.outcome = measured(samples(own.chain_ns, 3).latency_ns());
    record.companions = Some(Companions {
        copy: samples(900, 2),
        hot: None,
        alone: own.alone_ns.map(|ns| samples(ns, own.spread_ns)),
        twin: None,
        repeatable: Some(true),
        throttled: 0,
        clocks: None,
    });
    record
}

fn options() -> DeriveOptions {
    DeriveOptions { predicted: true, ..DeriveOptions::default() }
}

/// `winner in a chain, winner alone` where there is another, of the one bucket; and that the file
/// reads back as the same matrix.
#[track_caller]
fn check_records(records: &[TuningRecord], expected: &str) -> Matrix {
    let matrix = Matrix::derive(records, &options());
    let entry = &matrix.entries()[0];
    let alone = entry.alone.as_ref();
    let alone =
        alone.map_or_else(String::new, |own| format!(", {} {}", own.candidate, own.median_ns));
    assert_eq!(format!("{} {}{alone}", entry.candidate, entry.time.median_ns()), expected);
    let text = matrix.to_toml();
    assert_eq!(Matrix::parse("tuned.toml", &text).unwrap(), matrix, "{text}");
    assert_eq!(text.contains("[entry.alone]"), entry.alone.is_some());
    matrix
}

#[track_caller]
fn check(finalists: &[Finalist], expected: &str) -> Matrix {
    let records: Vec<TuningRecord> = finalists.iter().map(|own| finalist(*own)).collect();
    check_records(&records, expected)
}

#[test]
fn who_is_surely_faster_alone_is_kept_beside_the_winner() {
    check(&[early(1, 1800, 2500), plain(2, 2100, 2300)], "x=1 1800, x=2 2300");
    // The least of several, programmatic or not.
    let three = [early(1, 1800, 2500), plain(2, 2100, 2300), early(3, 1810, 2200)];
    check(&three, "x=1 1800, x=3 2200");
    // Of equal ones the lesser candidate.
    check(
        &[early(1, 1800, 2500), plain(3, 2100, 2300), plain(2, 2150, 2300)],
        "x=1 1800, x=2 2300",
    );
}

#[test]
fn who_is_not_surely_faster_is_not() {
    check(&[early(1, 1800, 2300), plain(2, 2100, 2500)], "x=1 1800");
    check(&[early(1, 1800, 2300), plain(2, 2100, 2300)], "x=1 1800");
    // Ends that touch are no proof.
    check(&[early(1, 1800, 2308), plain(2, 2100, 2300)], "x=1 1800");
    check(&[early(1, 1800, 2309), plain(2, 2100, 2300)], "x=1 1800, x=2 2300");
    // The least median counts, even where its interval is wide and another's would be proof.
    let wide = Finalist { spread_ns: 300, ..plain(3, 2100, 2290) };
    check(&[early(1, 1800, 2400), plain(2, 2100, 2300), wide], "x=1 1800");
}

#[test]
fn what_was_not_timed_alone_proves_nothing() {
    let untimed = |own: Finalist| Finalist { alone_ns: None, ..own };
    check(&[untimed(early(1, 1800, 2500)), plain(2, 2100, 2300)], "x=1 1800");
    check(&[early(1, 1800, 2500), untimed(plain(2, 2100, 2300))], "x=1 1800");
    let mut few = finalist(plain(2, 2100, 2300));
    let five = samples(2300, 4).latency_ns()[..5].to_vec();
    few.companions.as_mut().unwrap().alone = Some(Samples::new(five).unwrap());
    check_records(&[finalist(early(1, 1800, 2500)), few], "x=1 1800");
    let mut elsewhere = finalist(plain(2, 2100, 2300));
    elsewhere.environment.driver = Some("590".to_owned());
    check_records(&[finalist(early(1, 1800, 2500)), elsewhere], "x=1 1800");
    let unverified = TuningRecord { verification: None, ..finalist(plain(2, 2100, 2300)) };
    check_records(&[finalist(early(1, 1800, 2500)), unverified], "x=1 1800");
    // What was rejected later is taken back.
    let outcome = Outcome::Rejected(Rejection::Launch { message: "not again".to_owned() });
    let rejected = TuningRecord { outcome, ..finalist(plain(2, 2100, 2300)) };
    let records = [finalist(early(1, 1800, 2500)), finalist(plain(2, 2100, 2300)), rejected];
    check_records(&records, "x=1 1800");
}

#[test]
fn a_programmatic_launch_takes_the_place_of_no_plain_one() {
    check(&[plain(1, 1800, 2500), early(2, 2100, 2300)], "x=1 1800");
    let three = [plain(1, 1800, 2500), early(2, 2100, 2300), plain(3, 2100, 2400)];
    check(&three, "x=1 1800, x=3 2400");
}

#[test]
fn a_situation_has_its_winner() {
    let matrix = check(&[early(1, 1800, 2500), plain(2, 2100, 2300)], "x=1 1800, x=2 2300");
    let entry = &matrix.entries()[0];
    let artifact = |x: i64| Digest::of(&x.to_le_bytes());
    assert_eq!(entry.winner(Situation::Chain), (&candidate("x=1"), artifact(1)));
    assert_eq!(entry.winner(Situation::Alone), (&candidate("x=2"), artifact(2)));
    let matrix = check(&[early(1, 1800, 2500)], "x=1 1800");
    assert_eq!(matrix.entries()[0].winner(Situation::Alone), (&candidate("x=1"), artifact(1)));
}

#[test]
fn the_file_has_a_table_of_its_own_for_it() {
    let mut other = finalist(early(3, 900, 1000));
    other.workload.axes.insert("rows".to_owned(), 1);
    let both = [finalist(early(1, 1800, 2500)), finalist(plain(2, 2100, 2300)), other];
    insta::assert_snapshot!(Matrix::derive(&both, &options()).to_toml());
}

#[track_caller]
fn check_error(from: &str, to: &str, expected: &str) {
    let records = [finalist(early(1, 1800, 2500)), finalist(plain(2, 2100, 2300))];
    let text = Matrix::derive(&records, &options()).to_toml();
    assert!(text.contains(from), "{from} in {text}");
    let error = Matrix::parse("tuned.toml", &text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(format!("{} {error}", error.code), expected);
}

#[test]
fn a_wrong_table_is_refused() {
    check_error(
        "candidate = { x = 2 }",
        "candidate = { x = 1 }",
        "matrix.entry tuned.toml:9:1: `alone` names the entry's own candidate",
    );
    check_error(
        "median_ns = 2300",
        "median_ns = 0",
        "matrix.entry tuned.toml:9:1: `alone.median_ns` is 0",
    );
    check_error(
        "median_ns = 2300",
        "median_ns = 2400",
        "matrix.entry tuned.toml:9:1: `alone.interval_ns` does not hold `alone.median_ns`",
    );
    check_error(
        "basis = \"measured\"\nmedian_ns = 1800\ninterval_ns = [1797, 1803]",
        "basis = \"predicted\"\nmedian_ns = 1800",
        "matrix.entry tuned.toml:9:1: a predicted entry has an `alone`",
    );
    check_error(
        "median_ns = 2300",
        "median = 2300",
        "matrix.syntax tuned.toml:27:1: unknown field `median`, expected one of `candidate`, \
         `artifact`, `median_ns`, `interval_ns`, `record`",
    );
}

fn finalists() -> impl Strategy<Value = Vec<Finalist>> {
    let one = (any::<bool>(), 1000_u64..1020, proptest::option::of(1000_u64..1020), 0_u64..8);
    proptest::collection::vec(one, 1..9).prop_map(|all| {
        let made = (1..).zip(all).map(|(x, (programmatic, chain_ns, alone_ns, spread_ns))| {
            Finalist { x, programmatic, chain_ns, alone_ns, spread_ns }
        });
        made.collect()
    })
}

proptest! {
    /// Whatever the finalists: the rule, the same result for every order of the log, and a file that
    /// reads back.
    #[test]
    fn the_rule_holds_for_any_finalists(all in finalists(), by in 0_usize..8) {
        let mut records: Vec<TuningRecord> = all.iter().map(|own| finalist(*own)).collect();
        let matrix = Matrix::derive(&records, &options());
        let by = by % records.len();
        records.rotate_left(by);
        prop_assert_eq!(&Matrix::derive(&records, &options()), &matrix);
        prop_assert_eq!(&Matrix::parse("tuned.toml", &matrix.to_toml()).unwrap(), &matrix);

        let entry = &matrix.entries()[0];
        let of = |digest: Digest| records.iter().find(|own| own.digest() == digest).unwrap();
        let is_early = |own: &TuningRecord| own.launch.unwrap().programmatic;
        let chain = of(entry.record);
        let fastest = records.iter().filter_map(|own| own.outcome.time_ns()).min();
        prop_assert_eq!(Some(entry.time.median_ns()), fastest);
        let may_win = |own: &&TuningRecord| is_early(chain) || !is_early(own);
        let medians = records.iter().filter(may_win).filter_map(AloneWinner::of);
        let least = medians.map(|own| own.median_ns).min();
        if let Some(alone) = &entry.alone {
            let own = of(alone.record);
            let says = AloneWinner::of(own);
            prop_assert_eq!(says.as_ref(), Some(alone));
            prop_assert!(alone.is_surely_faster_than(&AloneWinner::of(chain).unwrap()));
            prop_assert_eq!(Some(alone.median_ns), least);
            prop_assert!(may_win(&own));
        } else if let Some(in_chain) = AloneWinner::of(chain) {
            let ties = records.iter().filter(may_win).filter_map(AloneWinner::of);
            let mut ties = ties.filter(|own| Some(own.median_ns) == least);
            prop_assert!(!ties.all(|own| own.is_surely_faster_than(&in_chain)));
        }
    }

    /// An entry without a second winner is written as ever.
    #[test]
    fn a_matrix_without_one_has_no_trace_of_it(chain_ns in 1_u64..1_000_000) {
        let records = [finalist(Finalist { alone_ns: None, ..plain(1, chain_ns + 10, 5) })];
        let matrix = Matrix::derive(&records, &options());
        prop_assert!(!matrix.to_toml().contains("alone"));
        let is_measured = matches!(matrix.entries()[0].time, EntryTime::Measured { .. });
        prop_assert!(is_measured);
    }
}
