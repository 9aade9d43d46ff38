// ---
// about = "f32 to bf16 and back by pairs, with bf16 arithmetic."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "bf16"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 690872.0
// relative = 0.001
// ---
#include <cuda_bf16.h>

extern "C" __global__ void kernel(const float* x, __nv_bfloat162* y) {
  __nv_bfloat162 pair = __floats2bfloat162_rn(x[threadIdx.x * 2], x[threadIdx.x * 2 + 1]);
  y[threadIdx.x] = __hadd2(__hmul2(pair, pair), __float2bfloat162_rn(1.0f));
}
