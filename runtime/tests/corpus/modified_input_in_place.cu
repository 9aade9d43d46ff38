// ---
// about = "The input is scaled in place before it is copied."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "modified_input"
// buffer = "x"
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
extern "C" __global__ void kernel(float* x, float* y) {
  float value = x[threadIdx.x] * 2.0f;
  x[threadIdx.x] = value;  // BUG
  y[threadIdx.x] = value;
}
