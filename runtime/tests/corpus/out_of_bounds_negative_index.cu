// ---
// about = "The left neighbour of element 0."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "out_of_bounds"
// buffer = "x"
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
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    float left = x[i - 1];  // BUG
    y[i] = left;
  }
}
