//! The specs of the kernel library and of the documentation are read, bound and launched.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::path::Path;

use ridge_spec::kernel::KernelSpec;

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
