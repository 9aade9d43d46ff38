// ---
// about = "A stack array, filled and indexed by the input, to its very end."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 1120.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  int bins[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) bins[k] = x[k] * 10;
  y[threadIdx.x] = bins[x[threadIdx.x]];
}
