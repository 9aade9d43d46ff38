//! The specs of the kernel library and of the documentation are read, bound and launched.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kernel_fixture;

use std::path::Path;

use ridge_spec::kernel::{KernelSpec, Role};

/// Kernels that compute nothing.
const ONLY_MOVE: [&str; 2] = ["embedding-gather", "transpose"];

fn library() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels");
    let mut specs = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("kernel.toml");
        if path.exists() {
            specs.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    specs.sort();
    specs
}

#[test]
fn every_spec_of_the_library_is_read_and_survives_its_canonical_form() {
    let specs = library();
    assert!(!specs.is_empty());
    for (name, text) in specs {
        let spec = KernelSpec::parse(&name, &text).unwrap_or_else(|errors| panic!("{errors:#?}"));
        let canonical = spec.canonical();
        let again = KernelSpec::parse(&name, &canonical)
            .unwrap_or_else(|errors| panic!("{errors:#?}\n{canonical}"));
        assert_eq!(again.canonical(), canonical);
    }
}

#[test]
fn every_workload_of_the_library_binds_and_its_default_launches() {
    for (name, text) in library() {
        let spec = KernelSpec::parse(&name, &text).unwrap_or_else(|errors| panic!("{errors:#?}"));
        for workload in &spec.workloads {
            let instance = spec.bind(workload, &kernel_fixture::profile()).unwrap();
            assert!(instance.bytes_min() > 0, "{name}: {workload}");
            if workload.role == Role::Verify {
                continue;
            }
            let only_moves = ONLY_MOVE.contains(&spec.name.to_string().as_str());
            assert_eq!(instance.flops() == 0, only_moves, "{name}: {workload}");
            let legal = spec.space.legal(instance.scope()).unwrap();
            let default = spec.space.default.as_ref().unwrap();
            assert!(legal.find(default).is_some(), "{name}: {workload}: {default}");
            for candidate in legal.candidates() {
                let plan = spec.launch(&instance, &candidate);
                assert!(plan.is_ok(), "{name}: {workload}: {candidate}: {plan:?}");
                assert_eq!(
                    spec.bindings(&instance, &candidate).iter().count(),
                    spec.bound_names().len()
                );
            }
        }
    }
}
