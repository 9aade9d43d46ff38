// ---
// about = "The last warp of a reduction, with __syncwarp between read and write."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 2016.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float sums[64];
  unsigned lane = threadIdx.x;
  sums[lane] = x[lane];
  __syncthreads();
  if (lane < 32) {
    for (int offset = 32; offset; offset /= 2) {
      float other = sums[lane + offset];
      __syncwarp();
      sums[lane] += other;
      __syncwarp();
    }
    if (lane == 0) y[0] = sums[0];
  }
}
