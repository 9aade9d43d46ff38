//! What the tests of specs share: an example, a device, and a plain way to draw diagnostics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod mutation;

use std::fmt::Write as _;

use ridge_spec::diagnostic::Diagnostic;
use ridge_spec::kernel::KernelSpec;
use ridge_spec::target::DeviceProfile;

/// A spec with every section.
pub(crate) const EXAMPLE: &str = r#"schema = 1

[kernel]
name = "rmsnorm"
description = "Root-mean-square normalisation over the last axis."
language = "cuda"
source = "rmsnorm.cu"
entry = "rmsnorm<{T}, {cols}, {half}, {threads_per_row}, {rows_per_block}, Hold::{hold}>"
options = ["--maxrregcount={registers}"]
tags = ["norm", "model:qwen3-8b"]

[types]
T = ["bf16", "f16", "f32"]

[axes]
rows = "dynamic"
cols = { kind = "specialized", description = "The normalised axis." }
half = { expression = "cols / 2" }
blocks = { expression = "ceil_div(rows, 2)" }

[inputs]
x = { shape = ["rows", "cols"], dtype = "T", description = "What is normalised." }
weight = { shape = ["cols"], dtype = "T" }
eps = { dtype = "f32", default = 1e-6 }

[outputs]
y = { shape = ["rows", "cols"], dtype = "T" }

[reference]
math = """
mean_square = mean(x * x, cols)
y = x * rsqrt(mean_square + eps) * weight
"""

[tolerance]
absolute = 1e-2
relative = 1e-2
matched_ratio = 1.0

[space]
constraints = [
  "threads_per_row * rows_per_block <= device.threads_per_block",
  "cols % (threads_per_row * 8) == 0",
  "hold == 'shared' || cols * sizeof(T) <= threads_per_row * 256",
]
default = { threads_per_row = 128, rows_per_block = 1, hold = "registers", registers = 64 }

[space.parameters]
threads_per_row = [32, 64, 128, 256, 512]
rows_per_block = [1, 2, 4, 8]
hold = ["registers", "shared"]
registers = [32, 64, 128]

[launch]
arguments = ["x", "weight", "y", "rows", "eps", "cols * sizeof(T)"]
grid = ["ceil_div(rows, rows_per_block)"]
block = ["threads_per_row", "rows_per_block"]
shared_memory_bytes = "(hold == 'shared') * rows_per_block * cols * sizeof(T) + 128"
cluster = ["1"]
programmatic = "rows_per_block == 8"

[[workloads]]
name = "qwen3-prefill"
axes = { rows = 4096, cols = 4096 }
types = { T = "bf16" }
role = "tune"

[[workloads]]
name = "ragged"
axes = { rows = 37, cols = 4096 }
types = { T = "f32" }
role = "verify"
scalars = { eps = 1e-5 }
tolerance = { absolute = 1e-5, relative = 1e-5 }

[cost]
bytes_min = "2 * rows * cols * sizeof(T)"
flops = "4 * rows * cols"
"#;

/// The example, read.
pub(crate) fn example() -> KernelSpec {
    read(EXAMPLE)
}

/// A spec that must be right.
#[track_caller]
pub(crate) fn read(text: &str) -> KernelSpec {
    KernelSpec::parse("kernel.toml", text).unwrap_or_else(|errors| panic!("{}", draw(&errors)))
}

/// The example with each first text replaced by the second; the first must be there.
#[track_caller]
pub(crate) fn edited(edits: &[(&str, &str)]) -> String {
    let mut text = EXAMPLE.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "the example lacks {old:?}");
        text = text.replacen(old, new, 1);
    }
    text
}

/// Diagnostics as a person would see them.
pub(crate) fn draw(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        writeln!(text, "error[{}]: {}", diagnostic.code, diagnostic.message).unwrap();
        if let Some(at) = &diagnostic.location {
            writeln!(text, "  --> {}:{}:{}", at.file, at.line, at.column).unwrap();
            writeln!(text, "  | {}", at.text).unwrap();
            let pad = " ".repeat(at.column as usize - 1);
            writeln!(text, "  | {pad}{}", "^".repeat(at.length as usize)).unwrap();
        } else {
            writeln!(text, "  (no place)").unwrap();
        }
        if let Some(hint) = &diagnostic.hint {
            writeln!(text, "  hint: {hint}").unwrap();
        }
    }
    text
}

/// The profile of an H200 that ships.
pub(crate) fn profile() -> DeviceProfile {
    toml::from_str(include_str!("../../../runtime/profiles/h200.toml")).unwrap()
}
