// ---
// about = "cp.async with a source size of 0 for the rows past the end fills zeros."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 64
// [expected]
// buffer = "y"
// sum = 2016.0
// relative = 1e-06
// ---
#include <cuda_pipeline.h>

extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ alignas(16) float tile[128];
  int i = threadIdx.x * 4;
  bool inside = i < n;
  __pipeline_memcpy_async(tile + i, inside ? x + i : x, 16, inside ? 0 : 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  reinterpret_cast<float4*>(y)[threadIdx.x] = *reinterpret_cast<float4*>(tile + i);
}
