// ---
// about = "A table of the module is read before the wait."
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

__device__ const float table[4] = {2.0f, 2.0f, 2.0f, 2.0f};

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float factor = *(const volatile float*)(table + i % 4);
  WAIT();
  y[i] = factor * x[i];
}
