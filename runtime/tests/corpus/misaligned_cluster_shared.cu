// ---
// about = "A pair is read from another block's tile at an odd element."
// entry = "kernel"
// grid = [2]
// block = [32]
// cluster = [2]
// expect = "misaligned"
// buffer = "tile"
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
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

__device__ inline float* of_rank(float* p, unsigned rank) {
  return (float*)__cluster_map_shared_rank(p, rank);
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ __align__(8) float tile[64];
  unsigned rank = __clusterRelativeBlockRank();
  tile[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  tile[32 + threadIdx.x] = 0.0f;
  cluster_sync();
  float2 pair = *(const float2*)&of_rank(tile, rank ^ 1)[threadIdx.x];  // BUG
  cluster_sync();
  y[blockIdx.x * 32 + threadIdx.x] = pair.x + pair.y;
}
