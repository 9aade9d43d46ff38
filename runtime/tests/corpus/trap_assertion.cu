// ---
// about = "An assertion fails in one lane."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "trap"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  assert(value < 31.0f);  // BUG
  y[threadIdx.x] = value;
}
