// ---
// about = "The kernel stops itself on an argument that it does not support."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "trap"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 33
// ---
extern "C" __global__ void kernel(float* y, int n) {
  if (n % 2 != 0) __trap();  // BUG
  y[threadIdx.x] = 1.0f;
}
