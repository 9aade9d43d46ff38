// ---
// about = "The launch is programmatic and the kernel has no wait."
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
extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float value = x[i];  // BUG
  y[i] = 2.0f * value;  // BUG
}
