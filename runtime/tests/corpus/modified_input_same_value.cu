// ---
// about = "A store to an input is one even where it changes nothing."
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
extern "C" __global__ void kernel(volatile float* x, float* y) {
  float value = x[threadIdx.x];
  x[threadIdx.x] = value;  // BUG
  y[threadIdx.x] = value;
}
