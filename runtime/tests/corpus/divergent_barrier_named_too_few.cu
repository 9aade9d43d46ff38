// ---
// about = "A named barrier waits for 96 threads; 64 come."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "divergent_barrier"
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
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 64) {
    asm volatile("bar.sync 1, 96;" ::: "memory");  // BUG
  }
  y[threadIdx.x] = tile[threadIdx.x];
}
