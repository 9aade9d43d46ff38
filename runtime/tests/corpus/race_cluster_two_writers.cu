// ---
// about = "Two blocks write different values to one place of a third."
// entry = "kernel"
// grid = [4]
// block = [32]
// cluster = [4]
// expect = "race"
// buffer = "best"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

__device__ inline float* of_rank(float* p, unsigned rank) {
  return (float*)__cluster_map_shared_rank(p, rank);
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float best[32];
  unsigned rank = __clusterRelativeBlockRank();
  cluster_sync();
  if (rank != 0) of_rank(best, 0)[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];  // BUG
  cluster_sync();
  if (rank == 0 && threadIdx.x == 0) *y = best[0];
}
