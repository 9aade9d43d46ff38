//! NVRTC takes what the CubeCL front end writes.

use std::path::Path;

use ridge_compiler::campaign::Compiler;
use ridge_compiler::cube;
use ridge_spec::kernel::KernelSpec;
use ridge_spec::target::DeviceProfile;

use super::toolkit::{config, sm_90a, toolkit, unit};

/// The default candidate of every spec from math alone, for its first workload: it compiles, and
/// keeps its row in registers.
#[test]
fn compiles_the_default_candidate_of_every_spec_from_math() {
    let Some(toolkit) = toolkit() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/cube");
    let profile: DeviceProfile =
        toml::from_str(include_str!("../../../runtime/profiles/h200.toml")).unwrap();
    let mut compiler = Compiler::new(config(toolkit, 2), None);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("kernel.toml")) else {
            continue;
        };
        let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
        let spec = cube::complete(&spec).unwrap();
        let instance = spec.bind(&spec.workloads[0], &profile).unwrap();
        let candidate = spec.space.default.clone().unwrap();
        let unit = cube::unit(&spec, &instance, &candidate, &toolkit.include_folders, sm_90a());
        compiler.submit(names.len() as u64, unit.unwrap());
        names.push(spec.name.to_string());
    }
    assert!(names.len() >= 15);
    while let Some(finished) = compiler.recv().unwrap() {
        let name = &names[usize::try_from(finished.id).unwrap()];
        let artifact = finished.result.unwrap_or_else(|why| panic!("{name}: {}", why.summary()));
        assert_eq!(artifact.manifest.resources.spill_store_bytes, 0, "{name}");
        assert_eq!(artifact.manifest.resources.stack_bytes, 0, "{name}");
        assert!(artifact.ptx.contains("ld.global.nc.v4"), "{name} reads 16 bytes at once");
    }
}

/// The golden files, candidates that are no default among them, are CUDA C++ to NVRTC.
#[test]
fn compiles_the_golden_files() {
    let Some(toolkit) = toolkit() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cube/snapshots");
    let mut compiler = Compiler::new(config(toolkit, 2), None);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let snapshot = std::fs::read_to_string(&path).unwrap();
        let Some((_, text)) =
            snapshot.split_once("---\n").and_then(|(_, rest)| rest.split_once("---\n"))
        else {
            continue;
        };
        let Some((_, signature)) = text.split_once("__launch_bounds__(") else { continue };
        let name = signature.split([')', '(']).nth(1).unwrap().trim();
        compiler.submit(names.len() as u64, unit(toolkit, text, &format!("ridge::{name}"), &[]));
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(names.len() >= 7, "{names:?}");
    while let Some(finished) = compiler.recv().unwrap() {
        let name = &names[usize::try_from(finished.id).unwrap()];
        finished.result.unwrap_or_else(|why| panic!("{name}: {}", why.summary()));
    }
}
