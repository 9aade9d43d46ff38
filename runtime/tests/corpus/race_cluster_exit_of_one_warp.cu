// ---
// about = "Only one warp pulls from another block after the last barrier."
// entry = "kernel"
// grid = [2]
// block = [64]
// cluster = [2]
// expect = "race"
// buffer = "tile"
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
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

__device__ inline float* of_rank(float* p, unsigned rank) {
  return (float*)__cluster_map_shared_rank(p, rank);
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[64];
  unsigned rank = __clusterRelativeBlockRank();
  tile[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  cluster_sync();
  float value = of_rank(tile, rank ^ 1)[threadIdx.x];
  cluster_sync();
  if (rank == 1 && threadIdx.x >= 32) value += of_rank(tile, 0)[threadIdx.x - 32];  // BUG
  y[blockIdx.x * 64 + threadIdx.x] = value;
}
