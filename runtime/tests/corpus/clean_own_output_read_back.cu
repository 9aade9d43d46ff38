// ---
// about = "An output is read after the same thread wrote it."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 4032.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, volatile float* y) {
  y[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = y[threadIdx.x] * 2.0f;
}
