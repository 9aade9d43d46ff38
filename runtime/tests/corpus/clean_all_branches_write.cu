// ---
// about = "Every branch stores its element."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { start = -5.0, step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 7497.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  if (value > 0.0f) y[threadIdx.x] = value; else y[threadIdx.x] = -1.0f;
}
