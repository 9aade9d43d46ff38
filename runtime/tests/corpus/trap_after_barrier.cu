// ---
// about = "Every thread traps after a barrier behind a divergent store: a trap, not a lost barrier."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "trap"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float first[2];
  if (threadIdx.x % 32 == 0) first[threadIdx.x / 32] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = first[0] + first[1];
  __trap();  // BUG
}
