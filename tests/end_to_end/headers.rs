//! `ridge check`: a fault inside a header names the header's line, and where it was inlined.

use super::ridge::{Scratch, toolkit_is_there};

const SPEC: &str = r#"schema = 1

[kernel]
name = "doubled"
language = "cuda"
source = "doubled.cu"
entry = "doubled"

[axes]
n = "dynamic"

[inputs]
x = { shape = ["n"], dtype = "f32" }

[outputs]
y = { shape = ["n"], dtype = "f32" }

[reference]
math = "y = x + x"

[tolerance]
absolute = 1e-6
relative = 1e-6

[launch]
arguments = ["x", "y"]
grid = ["n / 128"]
block = ["32"]

[[workloads]]
name = "small"
axes = { n = 256 }
role = "verify"
"#;

const SOURCE: &str = "\
#include \"row.cuh\"

extern \"C\" __global__ void doubled(const float* x, float* y) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    store_row(y, i, load_row(x, i));
}
";

const HEADER: &str = "\
#pragma once
#include <ridge/access.cuh>

using Four = ridge::Vector<float, 16>;

__device__ __forceinline__ Four load_row(const float* x, int i) {
    return Four::load(reinterpret_cast<const uint4*>(x) + i);
}

__device__ __forceinline__ void store_row(float* y, int i, const Four& row) {
    float values[4];
    row.unpack(values);
    for (int k = 0; k < 4; ++k) values[k] *= 2.0f;
    Four::pack(values).store(reinterpret_cast<uint4*>(y) + i);
}
";

/// Checks the kernel with some of its header replaced; the lines that do not depend on how the
/// toolkit's compiler orders instructions.
#[track_caller]
fn check(snapshot: &str, replaced: &str, by: &str, expected_status: i32) {
    let scratch = Scratch::new();
    if !toolkit_is_there(&scratch) {
        return;
    }
    assert!(HEADER.contains(replaced), "the header lacks {replaced:?}");
    scratch.write("doubled/kernel.toml", SPEC);
    scratch.write("doubled/doubled.cu", SOURCE);
    scratch.write("doubled/row.cuh", &HEADER.replacen(replaced, by, 1));
    let run = scratch.run(&["check", "doubled"]);
    assert_eq!(run.status, Some(expected_status), "{}{}", run.stdout, run.stderr);
    let lines = run.stdout.lines().filter(|line| !line.contains("PTX line"));
    let text = lines.collect::<Vec<_>>().join("\n");
    if expected_status == 1 {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(snapshot, text) });
    }
}

#[test]
fn a_sound_header_passes() {
    check("", "2.0f", "2.0f", 0);
}

#[test]
fn a_header_of_the_folder_is_named_by_its_own_line() {
    check("header_of_the_folder", "values[k] *= 2.0f;", "y[4 * i + k + 1] = values[k] *= 2.0f;", 1);
}

#[test]
fn a_header_of_the_device_library_is_named_by_its_own_line() {
    check("header_of_the_library", "(y) + i)", "(y) + i + 1)", 1);
}
