// ---
// about = "cp.async with wait_group before each read, two stages in flight."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 1024
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 523776.0
// relative = 1e-06
// ---
#include <cuda_pipeline.h>

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ alignas(16) float tile[2][128];
  float4 sum = make_float4(0, 0, 0, 0);
  __pipeline_memcpy_async(tile[0] + threadIdx.x * 4, x + threadIdx.x * 4, 16);
  __pipeline_commit();
#pragma unroll 1
  for (int round = 0; round < 8; ++round) {
    if (round + 1 < 8) __pipeline_memcpy_async(tile[(round + 1) % 2] + threadIdx.x * 4, x + (round + 1) * 128 + threadIdx.x * 4, 16);
    __pipeline_commit();
    __pipeline_wait_prior(1);
    float4 value = *reinterpret_cast<float4*>(tile[round % 2] + threadIdx.x * 4);
    sum.x += value.x, sum.y += value.y, sum.z += value.z, sum.w += value.w;
  }
  reinterpret_cast<float4*>(y)[threadIdx.x] = sum;
}
