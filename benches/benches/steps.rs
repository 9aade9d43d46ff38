//! Host-side cost of single steps: `cargo bench -p ridge-benches --bench steps`.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ridge_autotune::history::History;
use ridge_autotune::strategies;
use ridge_autotune::strategy::Setup;
use ridge_benches::{h200, kernel, repository};
use ridge_spec::expression::{IntegerExpression, Origin, Scope};
use ridge_spec::kernel::KernelSpec;
use ridge_spec::space::{Parameter, SearchSpace};

fn specs(criterion: &mut Criterion) {
    let text = std::fs::read_to_string(repository("kernels/rmsnorm/kernel.toml")).unwrap();
    criterion.bench_function("parse the rms norm spec", |bencher| {
        bencher.iter(|| KernelSpec::parse("kernel.toml", black_box(&text)).unwrap());
    });
    let folder = kernel("kernels/rmsnorm");
    let instance = folder.spec.bind(&folder.spec.workloads[0], h200()).unwrap();
    criterion.bench_function("enumerate the rms norm space", |bencher| {
        bencher.iter(|| folder.spec.space.legal(black_box(instance.scope())).unwrap());
    });
}

/// Seven parameters of ten values; the product must hit one value, so that about one point in a
/// thousand is legal.
fn large_space() -> SearchSpace {
    let parameters = (0..7)
        .map(|i| Parameter {
            name: format!("p{i}"),
            values: (1..=10).map(|value| value.into()).collect(),
        })
        .collect();
    let origin = |text: &str| Origin::standalone("bench", text);
    let parse = |text: &str| IntegerExpression::parse(text, &origin(text)).unwrap();
    let constraints = vec![
        parse("p0 * p1 * p2 <= 64"),
        parse("p3 == p4 || p3 == 2 * p4"),
        parse("(p5 + p6) % 5 == 0"),
        parse("p0 * p5 == p1 * p6"),
    ];
    SearchSpace::new(parameters, constraints, None).unwrap()
}

fn spaces(criterion: &mut Criterion) {
    let space = large_space();
    let scope = Scope::new();
    let legal = space.legal(&scope).unwrap();
    let name = format!("enumerate {} of {} points", legal.len(), legal.product_size());
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| space.legal(black_box(&scope)).unwrap().len());
    });
}

/// Candidates asked for at once: as many as a machine of eight cores compiles together.
const BATCH: usize = 8;

fn search(criterion: &mut Criterion) {
    let space = large_space().legal(&Scope::new()).unwrap();
    let mut group = criterion.benchmark_group(format!("propose 100 of {} candidates", space.len()));
    group.throughput(Throughput::Elements(100)).sample_size(10);
    for entry in strategies::TABLE {
        group.bench_function(entry.name, |bencher| {
            bencher.iter(|| {
                let mut strategy = (entry.build)(Setup { seed: 1, prior: None });
                let mut history = History::new();
                while history.len() < 100 {
                    let proposed =
                        strategy.propose(&space, &history, BATCH.min(100 - history.len()));
                    if proposed.is_empty() {
                        break;
                    }
                    for index in proposed {
                        // Any landscape does: the cost of deciding is what is timed.
                        let time = space.indices(index).iter().map(|i| u64::from(*i) + 1).product();
                        let samples = ridge_spec::outcome::Samples::new(vec![time]).unwrap();
                        history.push(index, ridge_spec::outcome::Outcome::Measured(samples));
                    }
                }
                history.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, specs, spaces, search);
criterion_main!(benches);
