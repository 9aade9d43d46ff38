// ---
// about = "Weights, which no kernel writes, are read before the wait, the input after it."
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
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, const float* w, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float weight = *(const volatile float*)(w + i);
  WAIT();
  y[i] = weight + x[i];
}
