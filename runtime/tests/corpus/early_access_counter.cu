// ---
// about = "A counter of the module is raised before the wait: a launch of the same kernel before may still use it."
// entry = "kernel"
// grid = [4]
// block = [64]
// programmatic = true
// expect = "early_access"
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
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

__device__ unsigned counter;

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x == 0) atomicAdd(&counter, 1u);  // BUG
  WAIT();
  y[i] = 2.0f * x[i];
}
