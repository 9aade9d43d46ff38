// ---
// about = "The launch gives half the dynamic shared memory that the kernel uses."
// entry = "kernel"
// grid = [1]
// block = [128]
// shared_memory_bytes = 256
// expect = "out_of_bounds"
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
  extern __shared__ float tile[];
  tile[threadIdx.x] = x[threadIdx.x];  // BUG
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}
