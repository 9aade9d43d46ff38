// ---
// about = "Blocks of a cluster exchange values in global memory with a barrier of the block only."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
// expect = "race"
// buffer = "scratch"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "scratch"
// dtype = "f32"
// elements = 256
// role = "inout"
// fill = { start = 0.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const float* x, float* scratch, float* y) {
  unsigned at = blockIdx.x * 64 + threadIdx.x;
  scratch[at] = x[at];  // BUG
  __syncthreads();
  y[at] = scratch[(blockIdx.x ^ 1) * 64 + threadIdx.x];  // BUG
  cluster_sync();
}
