// ---
// about = "Only the first and the last warp touch one element both."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "race"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[128];
  tile[threadIdx.x] = 0.0f;
  __syncthreads();
  if (threadIdx.x == 5 || threadIdx.x == 100) tile[7] = x[threadIdx.x];  // BUG
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}
