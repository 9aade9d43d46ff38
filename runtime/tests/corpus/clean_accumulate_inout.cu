// ---
// about = "A buffer that is declared read and written is accumulated into."
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
// role = "inout"
// fill = { start = 100.0, step = 0.0 }
// [expected]
// buffer = "y"
// sum = 8416.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  y[threadIdx.x] += x[threadIdx.x];
}
