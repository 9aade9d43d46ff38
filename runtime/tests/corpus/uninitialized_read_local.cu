// ---
// about = "Half of a stack array is filled, the input picks from all of it."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "uninitialized_read"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 1, modulo = 8 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 32
// role = "output"
// [[arguments]]
// name = "m"
// scalar = "i32"
// value = 4
// ---
extern "C" __global__ void kernel(const int* x, int* y, int m) {
  int bins[8];
#pragma unroll 1
  for (int k = 0; k < m; ++k) bins[k] = x[k];
  y[threadIdx.x] = bins[x[threadIdx.x]];  // BUG
}
