//! Specs and candidates for the tests.

use std::path::{Path, PathBuf};

use ridge_compiler::cube::{self, Source};
use ridge_spec::kernel::{Instance, KernelSpec};
use ridge_spec::outcome::Rejection;
use ridge_spec::space::Candidate;
use ridge_spec::target::DeviceProfile;

/// The folders of the specs from math alone, sorted.
pub(crate) fn library() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/cube");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> =
        entries.filter(|folder| folder.join("kernel.toml").exists()).collect();
    folders.sort();
    folders
}

/// A spec of the library, completed.
pub(crate) fn load(folder: &Path) -> KernelSpec {
    let text = std::fs::read_to_string(folder.join("kernel.toml")).unwrap();
    let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
    cube::complete(&spec).unwrap()
}

pub(crate) fn h200() -> DeviceProfile {
    toml::from_str(include_str!("../../../runtime/profiles/h200.toml")).unwrap()
}

/// A workload of a spec, bound to an H200.
pub(crate) fn bind(spec: &KernelSpec, workload: &str) -> Instance {
    spec.bind(spec.workload(workload).unwrap(), &h200()).unwrap()
}

/// A candidate: the default with some parameters changed.
pub(crate) fn candidate(spec: &KernelSpec, changed: &str) -> Candidate {
    let changed = Candidate::parse(changed).unwrap();
    let default = spec.space.default.clone().unwrap();
    let all = default.iter().chain(changed.iter());
    Candidate::new(all.map(|(name, value)| (name, value.clone())))
}

/// The source of a candidate that is legal on the workload.
pub(crate) fn source(
    spec: &KernelSpec,
    workload: &str,
    changed: &str,
) -> Result<Source, Rejection> {
    let instance = bind(spec, workload);
    let candidate = candidate(spec, changed);
    spec.space.check(&candidate, instance.scope()).unwrap();
    cube::source(spec, &instance, &candidate)
}

/// The text of a spec over rows `x[rows, cols]`, with this math and these outputs.
pub(crate) fn rows(math: &str, outputs: &str) -> String {
    format!(
        r#"schema = 1
[kernel]
name = "case"
language = "cube"
[types]
T = ["bf16", "f32"]
[axes]
rows = "dynamic"
cols = "specialized"
free = "dynamic"
[inputs]
x = {{ shape = ["rows", "cols"], dtype = "T" }}
turned = {{ shape = ["cols", "rows"], dtype = "T" }}
long = {{ shape = ["rows", "free"], dtype = "T" }}
[outputs]
{outputs}
[reference]
math = """
{math}
"""
[tolerance]
absolute = 1e-2
relative = 1e-2
[[workloads]]
name = "w"
axes = {{ rows = 4, cols = 64, free = 8 }}
types = {{ T = "bf16" }}
role = "tune"
"#
    )
}
