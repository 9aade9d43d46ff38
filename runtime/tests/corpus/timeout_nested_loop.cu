// ---
// about = "The outer loop counts; the inner one does not."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "timeout"
// [[arguments]]
// name = "x"
// dtype = "u32"
// elements = 32
// role = "input"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const unsigned* x, unsigned* y) {
  unsigned steps = 0;
#pragma unroll 1
  for (int round = 0; round < 3; ++round) {
    unsigned value = x[threadIdx.x] + 5u;
#pragma unroll 1
    while (value != 1u) {  // BUG
      value = value % 2u == 0u ? value / 2u : value * 3u - 1u;  // BUG
      ++steps;  // BUG
    }
  }
  y[threadIdx.x] = steps;
}
