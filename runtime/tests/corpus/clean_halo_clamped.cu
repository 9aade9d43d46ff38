// ---
// about = "Neighbours are clamped to the ends."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 128
// [expected]
// buffer = "y"
// sum = 16256.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[max(i - 1, 0)] + x[min(i + 1, n - 1)];
}
