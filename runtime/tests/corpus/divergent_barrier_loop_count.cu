// ---
// about = "A barrier in a loop that some warps run once and others twice."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "divergent_barrier"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 160
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 160
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 160
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[128];
#pragma unroll 1
  for (int i = threadIdx.x; i < n; i += 128) {
    tile[threadIdx.x] = x[i];
    __syncthreads();  // BUG
    y[i] = tile[threadIdx.x ^ 1];
    __syncthreads();  // BUG
  }
}
