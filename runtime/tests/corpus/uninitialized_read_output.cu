// ---
// about = "An output is accumulated into before anything set it."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "uninitialized_read"
// buffer = "y"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float before = y[threadIdx.x];  // BUG
  y[threadIdx.x] = before + x[threadIdx.x];
}
