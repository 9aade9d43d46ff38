// ---
// about = "cp.async of each thread, then a barrier, then another thread's data."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 32640.0
// relative = 1e-06
// ---
#include <cuda_pipeline.h>

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ alignas(16) float tile[256];
  __pipeline_memcpy_async(tile + threadIdx.x * 4, x + threadIdx.x * 4, 16);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  reinterpret_cast<float4*>(y)[threadIdx.x] = *reinterpret_cast<float4*>(tile + (threadIdx.x ^ 32) * 4);
}
