// ---
// about = "A sum is added to before the wait."
// entry = "kernel"
// grid = [4]
// block = [64]
// programmatic = true
// expect = "early_access"
// buffer = "y"
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
// role = "inout"
// fill = { step = 1.0 }
// ---
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(y + i, 1.0f);  // BUG
  WAIT();
  y[i] += x[i];
}
