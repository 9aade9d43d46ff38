// ---
// about = "Pairs of bf16 from rows of odd length: every second row begins between words."
// entry = "kernel"
// grid = [2]
// block = [32]
// expect = "misaligned"
// buffer = "x"
// [[arguments]]
// name = "x"
// dtype = "bf16"
// elements = 130
// role = "input"
// fill = { step = 1.0, modulo = 7 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 33
// ---
#include <cuda_bf16.h>

extern "C" __global__ void kernel(const __nv_bfloat16* x, float* y, int n) {
  const __nv_bfloat16* row = x + blockIdx.x * n;
  __nv_bfloat162 pair = reinterpret_cast<const __nv_bfloat162*>(row)[threadIdx.x / 2];  // BUG
  y[blockIdx.x * 32 + threadIdx.x] = float(pair.x) * float(pair.y);
}
