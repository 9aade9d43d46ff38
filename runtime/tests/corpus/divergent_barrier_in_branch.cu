// ---
// about = "The two halves of a warp wait at different barriers."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "divergent_barrier"
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
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  float value;
  if (threadIdx.x % 32 < 16) {
    __syncthreads();  // BUG
    value = tile[63 - threadIdx.x] * 2.0f;
  } else {
    __syncthreads();  // BUG
    value = sqrtf(tile[threadIdx.x ^ 3]);
  }
  y[threadIdx.x] = value;
}
