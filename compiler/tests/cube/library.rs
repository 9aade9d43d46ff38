//! Every spec from math alone becomes kernels on all its workloads.

use std::collections::BTreeSet;

use ridge_compiler::cube;

use super::support::{h200, library, load};

#[test]
fn there_are_at_least_fifteen() {
    assert!(library().len() >= 15, "{}", library().len());
}

#[test]
fn the_default_is_legal_wherever_the_kernel_is_tuned() {
    for folder in library() {
        let spec = load(&folder);
        let default = spec.space.default.clone().unwrap();
        for workload in &spec.workloads {
            let instance = spec.bind(workload, &h200()).unwrap();
            let legal = spec.space.check(&default, instance.scope());
            let tuned = workload.role == ridge_spec::kernel::Role::Tune;
            assert!(legal.is_ok() || !tuned, "{}: {}: {legal:?}", spec.name, workload.name);
        }
    }
}

/// Candidates far apart in each space are written, launch, and fit what the launch gives them.
#[test]
fn every_space_holds_kernels() {
    for folder in library() {
        let spec = load(&folder);
        for workload in &spec.workloads {
            let instance = spec.bind(workload, &h200()).unwrap();
            let legal = spec.space.legal(instance.scope()).unwrap();
            let step = (legal.len() / 4).max(1);
            for index in (0..legal.len()).step_by(step) {
                let candidate = legal.candidate(index);
                let what = format!("{} {} {candidate}", spec.name, workload.name);
                let launch = spec.launch(&instance, &candidate).unwrap();
                let source = cube::source(&spec, &instance, &candidate)
                    .unwrap_or_else(|why| panic!("{what}: {}", why.summary()));
                let given = u64::from(launch.config.shared_memory_bytes);
                assert!(source.shared_memory_bytes <= given, "{what}");
            }
        }
    }
}

/// Every parameter of a space changes the text, or the launch, of some candidate.
#[test]
fn no_parameter_means_nothing() {
    for folder in library() {
        let spec = load(&folder);
        let tuned = spec.workloads.iter().find(|w| w.role == ridge_spec::kernel::Role::Tune);
        let instance = spec.bind(tuned.unwrap(), &h200()).unwrap();
        let legal = spec.space.legal(instance.scope()).unwrap();
        for (at, parameter) in legal.parameters().iter().enumerate() {
            let used: BTreeSet<u16> =
                (0..legal.len()).map(|index| legal.indices(index)[at]).collect();
            let n = parameter.values.len();
            assert!(used.len() > 1 || n == 1, "{}: {}", spec.name, parameter.name);
        }
    }
}
