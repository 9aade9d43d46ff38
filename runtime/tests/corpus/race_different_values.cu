// ---
// about = "Two warps store different values to one shared element. (The same value would not be flagged.)"
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "race"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// ---
extern "C" __global__ void kernel(float* y) {
  __shared__ float winner;
  if (threadIdx.x % 32 == 0) winner = float(threadIdx.x);  // BUG
  __syncthreads();
  if (threadIdx.x == 0) y[0] = winner;
}
