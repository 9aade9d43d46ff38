// ---
// about = "One lane waits and tells the others by a shuffle, which orders no memory."
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
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  int ready = 0;
  if (threadIdx.x % 32 == 0) { WAIT(); ready = 1; }
  ready = __shfl_sync(0xffffffff, ready, 0);
  float value = *(const volatile float*)(x + i);  // BUG
  __syncwarp();
  y[i] = 2.0f * value + (ready - 1);
}
