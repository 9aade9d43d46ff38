// ---
// about = "The last warp of a reduction relies on lockstep, as was usual before Volta."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "race"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float sums[64];
  unsigned lane = threadIdx.x;
  sums[lane] = x[lane];
  __syncthreads();
  if (lane < 32) {
    sums[lane] += sums[lane + 32];  // BUG
    if (lane < 16) sums[lane] += sums[lane + 16];  // BUG
    if (lane < 8) sums[lane] += sums[lane + 8];  // BUG
    if (lane == 0) y[0] = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];  // BUG
  }
}
