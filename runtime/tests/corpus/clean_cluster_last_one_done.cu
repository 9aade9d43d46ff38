// ---
// about = "The last cluster to finish adds up what every block left in global memory."
// entry = "kernel"
// grid = [8]
// block = [32]
// cluster = [2]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "partial"
// dtype = "f32"
// elements = 8
// role = "inout"
// fill = { start = 0.0 }
// [[arguments]]
// name = "ticket"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { start = 0.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 32640.0 }
// relative = 1e-06
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const float* x, float* partial, unsigned* ticket, float* y) {
  __shared__ float sum;
  unsigned rank = __clusterRelativeBlockRank();
  float value = x[blockIdx.x * 32 + threadIdx.x];
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(~0u, value, offset);
  if (threadIdx.x == 0) partial[blockIdx.x] = value;
  cluster_sync();
  if (rank == 0 && threadIdx.x == 0) {
    __threadfence();
    if (atomicAdd(ticket, 1) == gridDim.x / 2 - 1) {
      __threadfence();
      sum = 0.0f;
      for (unsigned block = 0; block < gridDim.x; ++block) sum += partial[block];
      *y = sum;
    }
  }
}
