//! What comes out of the CUDA front end: artifacts, reports, diagnostics.

use ridge_spec::artifact::{Artifact, ParameterLayout, Resources};
use ridge_spec::outcome::Rejection;

use crate::toolkit::compile;

/// Compiles and describes the rejection, one diagnostic a line.
#[track_caller]
fn check_rejected(text: &str, entry: &str, expected: &str) {
    let Some(result) = compile(text, entry, &[]) else { return };
    let rejection = result.unwrap_err();
    let answer = match &rejection {
        Rejection::Compile { diagnostics, log } => {
            assert!(!log.is_empty());
            diagnostics
                .iter()
                .map(|message| format!("{:?} {message}", message.severity))
                .collect::<Vec<_>>()
                .join("\n")
        }
        other => other.summary(),
    };
    assert_eq!(answer, expected);
}

fn compiled(text: &str, entry: &str, options: &[&str]) -> Option<Artifact> {
    Some(compile(text, entry, options)?.unwrap())
}

const TEMPLATE: &str = "#include <cuda_bf16.h>
template <class T, int N>
__global__ void scale(const T* __restrict__ x, T* y, int n, float factor) {
  __shared__ float tile[33];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  tile[threadIdx.x & 31] = float(x[i]);
  __syncthreads();
  if (i < n) y[i] = T(tile[(threadIdx.x + 1) & 31] * factor * N);
}
";

#[test]
fn compiles_a_template_to_ptx_and_cubin() {
    let Some(artifact) = compiled(TEMPLATE, "scale<__nv_bfloat16, 4>", &[]) else { return };
    let manifest = &artifact.manifest;
    assert_eq!(manifest.entry_symbol, "_Z5scaleI13__nv_bfloat16Li4EEvPKT_PS1_if");
    assert_eq!(manifest.target, crate::toolkit::sm_90a());
    let Resources { registers, static_shared_memory_bytes, barriers, .. } = manifest.resources;
    assert!((8..=64).contains(&registers), "{registers}");
    assert_eq!((static_shared_memory_bytes, barriers), (132, 1));
    let layout = |offset_bytes, size_bytes| ParameterLayout {
        offset_bytes,
        size_bytes,
        align_bytes: size_bytes,
    };
    assert_eq!(manifest.parameters, [layout(0, 8), layout(8, 8), layout(16, 4), layout(20, 4)]);
    assert!(artifact.cubin.starts_with(b"\x7fELF"));
    assert!(artifact.ptx.contains(".target sm_90a"));
    let files: Vec<&str> =
        artifact.ptx.lines().filter(|line| line.starts_with("\t.file")).collect();
    assert_eq!(files, ["\t.file\t1 \"kernel.cu\"", "\t.file\t2 \"<toolkit>/cuda_bf16.h\""]);
    assert!(artifact.ptx.contains(".loc\t1 6 "), "line information of line 6");
}

#[test]
fn names_no_path_of_this_machine_in_the_binary() {
    let Some(artifact) = compiled(TEMPLATE, "scale<float, 4>", &[]) else { return };
    let has = |text: &str| artifact.cubin.windows(text.len()).any(|at| at == text.as_bytes());
    let toolkit = crate::toolkit::toolkit().unwrap();
    for path in [toolkit.include_folders[0].to_str().unwrap(), env!("CARGO_MANIFEST_DIR"), "/home/"]
    {
        assert!(!has(path) && !artifact.ptx.contains(path), "{path}");
    }
    assert!(has("kernel.cu"));
}

#[test]
fn compiles_to_the_same_bytes_each_time() {
    let text = "namespace { template <int N> __global__ void k(int* x) { x[0] = N; } }\n\
                static __device__ int hidden;\n\
                static __global__ void h(int* x) { x[0] = hidden++; }\n";
    for entry in ["k<3>", "h"] {
        let Some(first) = compiled(text, entry, &[]) else { return };
        let second = compiled(text, entry, &[]).unwrap();
        assert_eq!(first.digest, second.digest, "{entry}");
    }
}

#[test]
fn takes_plain_and_extern_c_names() {
    let text = "extern \"C\" __global__ void c(int* x) { x[0] = 1; }\n\
                namespace ns { __global__ void k(int* x) { x[0] = 2; } }\n";
    for (entry, symbol) in [("c", "c"), ("ns::k", "_ZN2ns1kEPi")] {
        let Some(artifact) = compiled(text, entry, &[]) else { return };
        assert_eq!(artifact.manifest.entry_symbol, symbol);
    }
}

#[test]
fn reports_spills_and_the_register_limit() {
    let text = "extern \"C\" __global__ void k(float* x) {
  float a[100];
#pragma unroll
  for (int i = 0; i < 100; i++) a[i] = x[i * 7 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 100; i++) x[i] = a[99 - i] * a[i];
}
";
    let Some(limited) = compiled(text, "k", &["--maxrregcount=32"]) else { return };
    let Resources { registers, spill_store_bytes, spill_load_bytes, stack_bytes, .. } =
        limited.manifest.resources;
    assert_eq!(registers, 32);
    assert!(spill_store_bytes > 0 && spill_load_bytes > 0 && stack_bytes > 0);
    assert!(limited.manifest.options.contains(&"--maxrregcount=32".to_owned()));
}

#[test]
fn points_at_the_line_and_column_of_an_error() {
    check_rejected(
        "__global__ void k(float* x) {\n  int unused;\n\tx[0] = missing + 1;\n}\n",
        "k",
        "Error kernel.cu:3:9: identifier \"missing\" is undefined\n\
         Warning kernel.cu:2:7: variable \"unused\" was declared but never referenced",
    );
    check_rejected(
        "template <int N> __device__ int f() { static_assert(N > 3, \"too small\"); return N; }\n\
         template <int N> __global__ void k(int* x) { x[0] = f<N>(); }\n",
        "k<2>",
        "Error kernel.cu:1:39: static assertion failed with \"too small\"\n\
         Note instantiation of \"int f<N>() [with N=2]\" at line 2\n\
         Note instantiation of \"void k<N>(int *) [with N=2]\"",
    );
}

#[test]
fn says_when_the_entry_is_no_kernel_of_the_source() {
    let text = "template <int N> __global__ void k(int* x) { x[0] = N; }\n\
                __device__ int variable;\n";
    check_rejected(
        text,
        "absent<2>",
        "Error in the entry `absent<2>`: identifier \"absent\" is undefined",
    );
    check_rejected(text, "k<2", "Error in the entry `k<2`: expected a \">\"");
    check_rejected(
        "extern \"C\" __device__ int k(int x) { return x; }\n",
        "k",
        "Error in the entry `k`: Name expression cannot form address of a non-__global__ function",
    );
}

#[test]
fn reports_too_much_shared_memory_as_a_resource() {
    check_rejected(
        "__global__ void k(float* x) {\n  __shared__ float s[200000];\n  \
         s[threadIdx.x] = x[0];\n  __syncthreads();\n  x[1] = s[threadIdx.x ^ 1];\n}\n",
        "k",
        "needs 800000 bytes of shared memory per block, the device allows 232448",
    );
}

#[test]
fn reports_what_the_assembler_refuses() {
    check_rejected(
        "__global__ void k(float* x) {\n  asm volatile(\"bogus.f32 %r1;\");\n  x[0] = 1;\n}\n",
        "k",
        "Error Not a name of any known instruction: 'bogus'\n\
         Error Ptx assembly aborted due to errors",
    );
}

#[test]
fn compiles_with_the_toolkits_own_libraries() {
    let text = "#include <cooperative_groups.h>
#include <cuda/barrier>
#include <cuda/std/complex>
#include <cuda_fp8.h>
#include <cuda_pipeline.h>
#include <mma.h>
#ifndef __CUDACC_RTC__
#include <vector>
#endif
__global__ void k(float* x) {
  cooperative_groups::this_thread_block().sync();
  x[threadIdx.x] = float(__nv_fp8_e4m3(x[threadIdx.x]));
}
";
    let Some(artifact) = compiled(text, "k", &[]) else { return };
    assert_eq!(artifact.manifest.parameters.len(), 1);
}
