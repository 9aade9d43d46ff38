// ---
// about = "An asynchronous copy of weights is issued before the wait, and lands after it."
// entry = "kernel"
// grid = [4]
// block = [64]
// programmatic = true
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "w"
// dtype = "f32"
// elements = 256
// role = "input"
// constant = true
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 65280.0
// relative = 1e-06
// ---
#include <cuda_pipeline.h>

#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, const float* w, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  __shared__ alignas(16) float tile[64];
  __pipeline_memcpy_async(tile + threadIdx.x, w + i, 4);
  __pipeline_commit();
  WAIT();
  float value = x[i];
  __pipeline_wait_prior(0);
  y[i] = value + tile[threadIdx.x];
}
