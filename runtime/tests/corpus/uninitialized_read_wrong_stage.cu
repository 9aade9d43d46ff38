// ---
// about = "Of two stages in flight only the first was waited for; the second is read."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = ["uninitialized_read", "race"]
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
#include <cuda_pipeline.h>

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ alignas(16) float tile[2][128];
  __pipeline_memcpy_async(tile[0] + threadIdx.x * 4, x + threadIdx.x * 4, 16);
  __pipeline_commit();
  __pipeline_memcpy_async(tile[1] + threadIdx.x * 4, x + 128 + threadIdx.x * 4, 16);
  __pipeline_commit();
  __pipeline_wait_prior(1);
  float4 value = *reinterpret_cast<float4*>(tile[1] + threadIdx.x * 4);  // BUG
  __pipeline_wait_prior(0);
  reinterpret_cast<float4*>(y)[threadIdx.x] = value;
}
