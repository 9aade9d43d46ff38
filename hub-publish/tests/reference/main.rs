//! `reference.py`: its text, and what torch computes with it beside the binary64 interpreter.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it cannot go on, and says why it was skipped"
)]

mod cases;
mod torch;

use std::path::{Path, PathBuf};

use ridge_hub_publish::reference;
use ridge_spec::kernel::{DtypeRef, KernelSpec, Reference};

/// The kernel library.
fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("kernels")
}

/// The specs of the library and their folders' names, sorted.
fn specs() -> Vec<(String, KernelSpec)> {
    let mut specs = Vec::new();
    for (prefix, folder) in [("", library()), ("cube-", library().join("cube"))] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if let Ok(text) = std::fs::read_to_string(path.join("kernel.toml")) {
                let name = path.file_name().unwrap().to_string_lossy();
                let spec = KernelSpec::parse("kernel.toml", &text).unwrap();
                specs.push((format!("{prefix}{name}"), spec));
            }
        }
    }
    specs.sort_by(|a, b| a.0.cmp(&b.0));
    specs
}

/// Parses a spec around some mathematics.
fn spec(declarations: &str, math: &str) -> KernelSpec {
    let text = format!(
        "schema = 1\n[kernel]\nname = \"some-kernel\"\nlanguage = \"cube\"\n{declarations}\n\
         [reference]\nmath = \"\"\"\n{math}\n\"\"\"\n\
         [tolerance]\nabsolute = 1e-5\nrelative = 1e-5\n"
    );
    KernelSpec::parse("kernel.toml", &text).unwrap()
}

#[test]
fn the_library_as_text() {
    for (name, spec) in specs() {
        let chosen =
            ["rmsnorm", "softmax", "silu-mul", "cross-entropy", "rmsnorm-fp8", "add-rmsnorm"];
        let generated =
            ["cube-rope", "cube-row-max", "cube-adamw", "cube-int8-rows", "cube-masked-softmax"];
        if chosen.contains(&name.as_str()) || generated.contains(&name.as_str()) {
            insta::assert_snapshot!(name, reference::python(&spec).unwrap());
        }
    }
}

#[test]
fn every_kernel_of_the_library_translates() {
    for (name, spec) in specs() {
        let is_math = matches!(spec.reference, Reference::Math(_));
        // A dtype that no input tensor has, a call does not say.
        let tensors = || spec.inputs.values().filter(|input| input.shape.is_some());
        let is_told = spec.types.keys().all(|variable| {
            tensors().any(|input| input.dtype == DtypeRef::Variable(variable.clone()))
        });
        assert_eq!(reference::python(&spec).is_some(), is_math && is_told, "{name}");
    }
}

#[test]
fn what_no_tensor_tells_does_not_translate() {
    let generator = spec(
        "[axes]\nn = \"dynamic\"\n[outputs]\ny = { shape = [\"n\"], dtype = \"f32\" }\n\
         [[workloads]]\nname = \"w\"\naxes = { n = 4 }\nrole = \"verify\"",
        "y = index(n) + 0",
    );
    assert_eq!(reference::python(&generator), None);
}
