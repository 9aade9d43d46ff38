// ---
// about = "A vote of all 32 lanes in a loop that they leave together, by that vote."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 1, start = 1 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 1024.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  int left = x[threadIdx.x], rounds = 0;
  while (__any_sync(0xffffffffu, left > 0)) {
    --left;
    ++rounds;
  }
  y[threadIdx.x] = rounds;
}
