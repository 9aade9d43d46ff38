// ---
// about = "The first warp waits and raises a flag in shared memory, which the second one polls."
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
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 65280.0
// relative = 1e-06
// ---
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  __shared__ int ready;
  if (threadIdx.x == 0) *(volatile int*)&ready = 0;
  __syncthreads();
  if (threadIdx.x < 32) {
    WAIT();
    __threadfence_block();
    *(volatile int*)&ready = 1;
  } else {
    while (*(volatile int*)&ready == 0) {}
    __threadfence_block();
  }
  y[i] = 2.0f * x[i];
}
