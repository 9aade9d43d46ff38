// ---
// about = "`<=` where `<` is meant: one store past the end."
// entry = "kernel"
// grid = [3]
// block = [128]
// expect = "out_of_bounds"
// buffer = "y"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 300
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 300
// ---
extern "C" __global__ void kernel(float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] = float(i);  // BUG
}
