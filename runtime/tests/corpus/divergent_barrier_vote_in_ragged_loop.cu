// ---
// about = "A vote of all 32 lanes in a loop that they leave one after another."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "divergent_barrier"
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
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  int left = x[threadIdx.x], votes = 0;
#pragma unroll 1
  while (left > 0) {
    votes += __any_sync(0xffffffffu, left > 3);  // BUG
    --left;
  }
  y[threadIdx.x] = votes;
}
