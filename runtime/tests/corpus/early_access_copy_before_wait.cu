// ---
// about = "An asynchronous copy of the input is issued before the wait."
// entry = "kernel"
// grid = [4]
// block = [64]
// programmatic = true
// expect = "early_access"
// buffer = "x"
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
// ---
#include <cuda_pipeline.h>

#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  __shared__ alignas(16) float tile[64];
  __pipeline_memcpy_async(tile + threadIdx.x, x + i, 4);  // BUG
  __pipeline_commit();
  WAIT();
  __pipeline_wait_prior(0);
  y[i] = 2.0f * tile[threadIdx.x];
}
