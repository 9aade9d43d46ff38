//! Damaged specs are read or refused, never more.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod kernel_fixture;

use kernel_fixture::mutation::{Numbers, damaged};
use kernel_fixture::{EXAMPLE, profile};
use ridge_spec::kernel::KernelSpec;

/// How many damaged texts are read; `examples/fuzz_readers.rs` reads a million.
const INPUTS: u64 = 2000;

#[test]
fn damaged_specs_are_read_or_refused_with_places() {
    let profile = profile();
    let (mut n_read, mut n_refused) = (0, 0);
    for seed in 0..INPUTS {
        let bytes = damaged(EXAMPLE, &mut Numbers(seed));
        let text = String::from_utf8_lossy(&bytes);
        match KernelSpec::parse("kernel.toml", &text) {
            Err(diagnostics) => {
                n_refused += 1;
                assert!(!diagnostics.is_empty(), "seed {seed}");
                for diagnostic in diagnostics {
                    let place = diagnostic.location.as_ref();
                    let place = place.unwrap_or_else(|| panic!("seed {seed}: {diagnostic}"));
                    let line = text.split('\n').nth(place.line as usize - 1).unwrap();
                    assert_eq!(place.text, line.trim_end_matches('\r'), "seed {seed}");
                }
            }
            Ok(spec) => {
                n_read += 1;
                let canonical = spec.canonical();
                let again = KernelSpec::parse("kernel.toml", &canonical).unwrap();
                assert_eq!(again.canonical(), canonical, "seed {seed}");
                for workload in &spec.workloads {
                    let Ok(instance) = spec.bind(workload, &profile) else { continue };
                    let candidates = spec.space.legal(instance.scope());
                    for candidate in candidates.iter().flat_map(|legal| legal.candidates()) {
                        // Refused or not: a value.
                        let _plan = spec.launch(&instance, &candidate);
                        let _bindings = spec.bindings(&instance, &candidate);
                    }
                }
            }
        }
    }
    assert!(n_read > 50 && n_refused > 50, "{n_read} read, {n_refused} refused");
}
