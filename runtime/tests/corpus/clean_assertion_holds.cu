// ---
// about = "An assertion that holds everywhere."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 496.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  assert(value < 32.0f);
  y[threadIdx.x] = value;
}
