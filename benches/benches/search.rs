//! The search's own cost: `cargo bench -p ridge-benches --bench search`.
//!
//! A whole search of 100 evaluations over 10 000 candidates, with instant answers; the time of one
//! evaluation is a hundredth of it. For strategies that use one, also with a prior from four
//! earlier campaigns.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ridge_autotune::history::History;
use ridge_autotune::prior::{Campaign, Place, Prior, Transfer};
use ridge_autotune::strategies::{StrategyEntry, TABLE, find};
use ridge_autotune::strategy::Setup;
use ridge_spec::outcome::{Outcome, Samples};
use ridge_spec::space::{LegalSpace, Parameter, SearchSpace};

/// Evaluations of a search.
const N_EVALUATIONS: usize = 100;

/// Eight parameters, 10 000 points, all legal.
fn space() -> LegalSpace {
    let powers = |n: u32| (0..n).map(|i| (1i64 << i).into()).collect();
    let sizes: [u32; 8] = [5, 5, 5, 5, 2, 2, 2, 2];
    let parameters = sizes
        .iter()
        .enumerate()
        .map(|(i, &n)| Parameter { name: format!("p{i}"), values: powers(n) })
        .collect();
    let space = SearchSpace::new(parameters, Vec::new(), None).unwrap();
    let space = space.legal(&ridge_spec::expression::Scope::new()).unwrap();
    assert_eq!(space.len(), 10_000);
    space
}

/// A time with a single optimum and interactions; another `device` has its optimum elsewhere.
fn outcome(space: &LegalSpace, candidate: usize, device: usize) -> Outcome {
    let indices = space.indices(candidate);
    let at = |place: usize| f64::from(indices[place]);
    let bowl: f64 = (0..4).map(|i| (at(i) - ((i + device) % 5) as f64).powi(2)).sum();
    let time = 1000.0 + 80.0 * bowl + 60.0 * at(4) * at(0) + 40.0 * (at(5) + at(6)) * at(1);
    let noise = (candidate * 2_654_435_761 % 97) as f64;
    Outcome::Measured(Samples::new(vec![format!("{:.0}", time + noise).parse().unwrap()]).unwrap())
}

fn search(space: &LegalSpace, entry: &StrategyEntry, prior: Option<&Prior>, batch: usize) -> u64 {
    let mut strategy = (entry.build)(Setup { seed: 1, prior: prior.cloned() });
    let mut history = History::new();
    while history.len() < N_EVALUATIONS {
        let wanted = batch.min(N_EVALUATIONS - history.len());
        for candidate in strategy.propose(space, &history, wanted) {
            history.push(candidate, outcome(space, candidate, 0));
        }
    }
    history.best().and_then(|best| best.time_ns).unwrap()
}

fn earlier_campaigns(space: &LegalSpace) -> Vec<Campaign> {
    (1..=4)
        .map(|device| Campaign {
            name: format!("device {device}"),
            place: Place { device: format!("device {device}"), ..Place::default() },
            evaluations: (0..200)
                .map(|i| i * 49 % space.len())
                .map(|at| (space.candidate(at), outcome(space, at, device)))
                .collect(),
        })
        .collect()
}

fn strategies(criterion: &mut Criterion) {
    let space = space();
    let campaigns = earlier_campaigns(&space);
    let transfer = || Transfer::new(&space, &Place::default(), &campaigns, 1).prior;
    let mut group = criterion.benchmark_group("search 10^4 candidates, 100 evaluations");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    group.throughput(Throughput::Elements(N_EVALUATIONS as u64));
    for entry in TABLE {
        group.bench_function(entry.name, |bencher| {
            bencher.iter(|| search(black_box(&space), entry, None, 1));
        });
    }
    let portfolio = find("portfolio").unwrap();
    let prior = transfer();
    group.bench_function("portfolio with a prior", |bencher| {
        bencher.iter(|| search(black_box(&space), portfolio, prior.as_ref(), 1));
    });
    group.bench_function("portfolio, 32 at a time", |bencher| {
        bencher.iter(|| search(black_box(&space), portfolio, None, 32));
    });
    group.finish();
    criterion.bench_function("prior from 4 campaigns of 200 over 10^4 candidates", |bencher| {
        bencher.iter(|| transfer().unwrap());
    });
}

criterion_group!(benches, strategies);
criterion_main!(benches);
