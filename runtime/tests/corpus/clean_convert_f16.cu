// ---
// about = "f32 to f16 and back, single and packed."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { start = -3.0, step = 0.0625 }
// [[arguments]]
// name = "y"
// dtype = "f16"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 321.75
// relative = 1e-06
// ---
#include <cuda_fp16.h>

extern "C" __global__ void kernel(const float* x, __half* y) {
  __half2 pair = __floats2half2_rn(x[threadIdx.x * 2], x[threadIdx.x * 2 + 1]);
  pair = __hfma2(pair, __float2half2_rn(2.0f), __float2half2_rn(0.5f));
  reinterpret_cast<__half2*>(y)[threadIdx.x] = __hmax2(pair, __float2half2_rn(-4.0f));
}
