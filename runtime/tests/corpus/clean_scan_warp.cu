// ---
// about = "Inclusive scan by shuffles, with the carry of earlier warps."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 128
// role = "input"
// fill = { step = 1, modulo = 7 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 24256.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  __shared__ int totals[4];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int sum = x[threadIdx.x];
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    int other = __shfl_up_sync(0xffffffffu, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (lane == 31) totals[warp] = sum;
  __syncthreads();
  for (int before = 0; before < warp; ++before) sum += totals[before];
  y[threadIdx.x] = sum;
}
