// ---
// about = "A loop of twenty thousand rounds that ends."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 32
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 20000
// ---
extern "C" __global__ void kernel(unsigned* y, int n) {
  unsigned state = threadIdx.x;
#pragma unroll 1
  for (int i = 0; i < n; ++i) state = state * 1664525u + 1013904223u;
  y[threadIdx.x] = state;
}
