// ---
// about = "A stack array of eight is indexed with what the input says, once with nine."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "out_of_bounds"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 1, modulo = 10 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  int bins[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) bins[k] = x[k];
  y[threadIdx.x] = bins[x[threadIdx.x]];  // BUG
}
