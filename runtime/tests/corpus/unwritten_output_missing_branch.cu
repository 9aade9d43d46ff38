// ---
// about = "Elements that are not positive are never stored."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "unwritten_output"
// buffer = "y"
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
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  if (value > 0.0f) y[threadIdx.x] = sqrtf(value);
}
