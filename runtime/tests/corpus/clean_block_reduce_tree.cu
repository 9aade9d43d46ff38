// ---
// about = "Sum by halving in shared memory."
// entry = "kernel"
// grid = [2]
// block = [256]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 512
// role = "input"
// fill = { step = 1.0, modulo = 9 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 2
// role = "output"
// [expected]
// buffer = "y"
// sum = 2044.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float sums[256];
  sums[threadIdx.x] = x[blockIdx.x * 256 + threadIdx.x];
  __syncthreads();
  for (int width = 128; width; width /= 2) {
    if (threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = sums[0];
}
