// ---
// about = "Each lane loops as often as its number asks for."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "u32"
// elements = 32
// role = "input"
// fill = { step = 1, start = 1 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 552.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const unsigned* x, unsigned* y) {
  unsigned value = x[threadIdx.x], steps = 0;
  while (value != 1u) {
    value = value % 2u == 0u ? value / 2u : value * 3u + 1u;
    ++steps;
  }
  y[threadIdx.x] = steps;
}
