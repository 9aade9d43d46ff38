//! What is written for a candidate: read the difference before accepting it.

use std::path::Path;

use ridge_compiler::cube::GENERATOR;
use ridge_spec::digest::Digest;

use super::support::{load, source};

/// The source of a kernel of the library is the file it was before.
#[track_caller]
fn check(kernel: &str, workload: &str, changed: &str, golden: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/cube").join(kernel);
    let spec = load(&folder);
    let first = source(&spec, workload, changed).unwrap();
    assert_eq!(Ok(&first), source(&spec, workload, changed).as_ref(), "the same text every time");
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(golden, first.text);
    });
}

#[test]
fn a_row_in_registers() {
    check("rmsnorm", "qwen3-8b-prefill-4096", "threads_per_row=512", "rmsnorm-registers");
}

#[test]
fn a_row_that_does_not_wait_for_the_kernel_before_to_end() {
    check("silu-mul", "llama-3-8b-1024", "pdl=early", "silu-mul-early");
}

#[test]
fn a_row_in_shared_memory() {
    check("softmax", "square-4096", "hold=shared,unroll=2", "softmax-shared");
}

#[test]
fn maximum_and_sum_in_one_sweep() {
    let changed = "sweeps=online,hold=reread,rows_per_block=1,threads_per_row=128";
    check("cross-entropy", "short-rows", changed, "cross-entropy-online");
}

#[test]
fn elements_of_a_flat_tensor() {
    check("adamw", "odd", "unroll=1", "adamw-odd");
}

#[test]
fn halves_of_a_row() {
    check("rope", "one-token", "", "rope");
}

#[test]
fn eight_bits_with_a_scale() {
    check("rmsnorm-fp8", "qwen3-8b-prefill-4096", "threads_per_row=512,math=fast", "rmsnorm-fp8");
}

/// Where this changes and the number does not, records of other kernels pass for this one's.
#[test]
fn the_generator_counts_up_with_what_it_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cube/snapshots");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        if text.contains("__global__") {
            texts.push((name, text.split("---").last().unwrap().to_owned()));
        }
    }
    texts.sort();
    let parts = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes()));
    let seen = format!("generator {GENERATOR} writes {}", Digest::of_parts(parts));
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("generator", seen);
    });
}
