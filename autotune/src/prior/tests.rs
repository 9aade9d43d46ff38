use ridge_spec::expression::Value;
use ridge_spec::outcome::{Outcome, Rejection, Samples};
use ridge_spec::space::{Candidate, Parameter};

use super::*;
use crate::landscape::record_fixture::record;

const BLOCKS: [i64; 5] = [32, 64, 128, 256, 512];

/// `block` times `unroll` times a text.
fn space() -> LegalSpace {
    let integers = |values: &[i64]| values.iter().copied().map(Value::Integer).collect();
    let parameters = vec![
        Parameter { name: "block".to_owned(), values: integers(&BLOCKS) },
        Parameter { name: "unroll".to_owned(), values: integers(&[1, 2, 4]) },
        Parameter { name: "load".to_owned(), values: vec!["plain".into(), "wide".into()] },
    ];
    let points: Vec<Candidate> = BLOCKS
        .iter()
        .flat_map(|block| [1, 2, 4].map(|unroll| (block, unroll)))
        .flat_map(|(block, unroll)| ["plain", "wide"].map(|load| (block, unroll, load)))
        .map(|(block, unroll, load)| {
            Candidate::parse(&format!("block={block},unroll={unroll},load={load}")).unwrap()
        })
        .collect();
    LegalSpace::from_points(parameters, &points).unwrap()
}

fn timed(ns: u64) -> Outcome {
    Outcome::Measured(Samples::new(vec![ns]).unwrap())
}

fn campaign(device: &str, evaluations: &[(&str, u64)]) -> Campaign {
    let evaluations = evaluations
        .iter()
        .map(|(text, time)| (Candidate::parse(text).unwrap(), timed(*time)))
        .collect();
    let place = Place { device: device.to_owned(), ..Place::default() };
    Campaign { name: device.to_owned(), place, evaluations }
}

/// The block of the candidate that is predicted to be fastest.
fn favourite(prior: &Prior) -> i64 {
    let space = space();
    let first = prior.order()[0];
    space.candidate(first).get("block").and_then(Value::as_integer).unwrap()
}

#[test]
fn campaigns_are_mapped_by_name_and_value() {
    let space = space();
    let here = Place { device: "H200".to_owned(), ..Place::default() };
    // Three times slower, without `load`, with a parameter that is no more, and with blocks that
    // are no values here.
    let other = campaign(
        "A100",
        &[
            ("block=48,unroll=1,gone=1", 3900),
            ("block=96,unroll=2,gone=2", 3200),
            ("block=250,unroll=1,gone=1", 3000),
            ("block=256,unroll=4,gone=1", 3050),
            ("block=1024,unroll=4,gone=1", 4000),
            ("block=32,unroll=2,gone=1", 4500),
        ],
    );
    let transfer = Transfer::new(&space, &here, &[other], 0);
    let source = &transfer.sources[0];
    assert_eq!((source.n_used, source.n_dropped), (6, 0));
    assert_eq!(source.unknown_parameters, ["load"]);
    assert!((source.share - 1.0).abs() < 1e-12);
    let prior = transfer.prior.unwrap();
    assert_eq!(favourite(&prior), 256);
    // What the campaign did not have makes no difference.
    for index in (0..space.len()).step_by(2) {
        let (a, b) = (prior.at(index).unwrap(), prior.at(index + 1).unwrap());
        assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn a_text_that_is_no_more_is_dropped() {
    let here = Place::default();
    let lines = [("block=32,unroll=1,load=odd", 10), ("block=64,unroll=1,load=wide", 10)];
    let transfer = Transfer::new(&space(), &here, &[campaign("A", &lines)], 0);
    assert_eq!((transfer.sources[0].n_used, transfer.sources[0].n_dropped), (1, 1));
}

#[test]
fn campaigns_without_a_success_say_nothing() {
    let mut failed = campaign("A", &[]);
    let rejection = Rejection::Launch { message: "no".to_owned() };
    let candidate = Candidate::parse("block=32,unroll=1,load=wide").unwrap();
    failed.evaluations.push((candidate, Outcome::Rejected(rejection)));
    let transfer = Transfer::new(&space(), &Place::default(), &[failed, campaign("B", &[])], 0);
    assert_eq!(transfer.prior, None);
    assert!(transfer.sources.iter().all(|source| source.share == 0.0));
    assert_eq!(Transfer::new(&space(), &Place::default(), &[], 0).prior, None);
}

#[test]
fn the_more_similar_campaign_decides() {
    let likes = |device: &str, best: i64| {
        let mut log = Vec::new();
        for block in BLOCKS {
            for unroll in [1, 2, 4] {
                let doublings = (block as f64 / best as f64).log2().abs();
                let time = format!("{:.0}", 1000.0 * (1.0 + 0.3 * doublings));
                log.push((format!("block={block},unroll={unroll},load=wide"), time));
            }
        }
        let log: Vec<(&str, u64)> =
            log.iter().map(|(text, time)| (text.as_str(), time.parse().unwrap())).collect();
        campaign(device, &log)
    };
    let here = Place { device: "H200".to_owned(), ..Place::default() };
    let transfer = Transfer::new(&space(), &here, &[likes("A100", 32), likes("H200", 512)], 0);
    assert!(transfer.sources[1].share > 0.75);
    assert_eq!(favourite(&transfer.prior.unwrap()), 512);
}

#[test]
fn similarity_falls_with_what_differs() {
    let place = |device: &str, architecture: &str, rows: i64, dtype: &str, version: &str| Place {
        version: version.to_owned(),
        device: device.to_owned(),
        architecture: architecture.to_owned(),
        axes: [("rows".to_owned(), rows), ("cols".to_owned(), 4096)].into(),
        types: [("T".to_owned(), dtype.to_owned())].into(),
    };
    let here = place("H200", "sm_90a", 1024, "bf16", "1");
    let order = [
        here.clone(),
        place("H200", "sm_90a", 2048, "bf16", "1"),
        place("H100", "sm_90a", 1024, "bf16", "1"),
        place("H100", "sm_90a", 1024, "bf16", "2"),
        place("A100", "sm_80", 1024, "bf16", "1"),
        place("A100", "sm_80", 1024, "f32", "1"),
        place("A100", "sm_80", 64, "f32", "2"),
    ];
    let similarities: Vec<f64> = order.iter().map(|place| here.similarity(place)).collect();
    assert!(similarities.is_sorted_by(|a, b| a > b), "{similarities:?}");
    assert!(similarities.iter().all(|similarity| *similarity > 0.0));
    let fewer = Place { axes: [("rows".to_owned(), 1024)].into(), ..here.clone() };
    assert!((here.doublings(&fewer) - 4.0).abs() < 1e-12);
}

#[test]
fn records_are_campaigns_of_one_kernel() {
    let mut other = record("A100", 64, "block=32,unroll=1,load=wide", 9);
    other.kernel = "other".to_owned();
    let records = [
        record("A100", 64, "block=32,unroll=1,load=wide", 200),
        other,
        record("A100", 128, "block=64,unroll=1,load=wide", 100),
        record("A100", 64, "block=64,unroll=2,load=wide", 100),
    ];
    let found = transfer::campaigns("k", &records);
    let sizes: Vec<usize> = found.iter().map(|campaign| campaign.evaluations.len()).collect();
    assert_eq!(sizes, [2, 1]);
    assert_eq!(found[0].place.architecture, "sm_80");
    let transfer = Transfer::from_records(&space(), "k", &found[0].place, &records, 0);
    assert!(transfer.prior.is_some());
    assert!(transfer.sources[0].share > transfer.sources[1].share);
}

#[test]
fn partial_predictions_reach_all_candidates() {
    let space = space();
    // Every third candidate is compiled; larger blocks are faster.
    let time = |index: usize| 1e4 / f64::from(space.indices(index)[0] + 1);
    let known: Vec<(usize, f64)> =
        (0..space.len()).step_by(3).map(|index| (index, time(index))).collect();
    let mut given = known.clone();
    given.extend([(10_000, 1.0), (1, f64::NAN), (2, -1.0)]);
    let prior = Prior::from_predictions(&space, &given, 0).unwrap();
    assert_eq!(prior.order().len(), space.len());
    assert_eq!(favourite(&prior), 512);
    for (index, time) in known {
        assert_eq!(prior.predicted_time_ns[index], Some(time));
    }
    assert_eq!(Prior::from_predictions(&space, &[(3, 0.0)], 0), None);
}

#[test]
fn blends_by_weight_where_there_is_something() {
    let prior = |times: &[f64]| Prior {
        predicted_time_ns: times.iter().map(|&time| (time > 0.0).then_some(time)).collect(),
        ..Prior::default()
    };
    let (a, b) = (prior(&[10.0, 20.0, 0.0]), prior(&[800.0, 200.0, 400.0]));
    let blended = Prior::blend(&[(&a, 1.0), (&b, 1.0), (&Prior::default(), 9.0)]).unwrap();
    let expected = [2000.0, 2f64.sqrt() * 1000.0, 2000.0];
    for (found, expected) in blended.predicted_time_ns.iter().zip(expected) {
        assert!((found.unwrap() - expected).abs() < 1e-6, "{blended:?}");
    }
    assert_eq!(blended.sources.len(), 2);
    let (mut order, mut inverted) = (b.order(), b.inverted().order());
    inverted.reverse();
    assert_eq!(order, inverted);
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(Prior::blend(&[(&a, 0.0), (&b, f64::NAN)]), None);
}
