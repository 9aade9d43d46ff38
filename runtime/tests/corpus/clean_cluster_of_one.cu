// ---
// about = "Without a launch in clusters every block is a cluster of its own."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
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
// [expected]
// buffer = "y"
// at = { 0 = 65.0, 127 = 66.0 }
// relative = 1e-06
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
  tile[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x];
  cluster_sync();
  float value = of_rank(tile, __clusterRelativeBlockRank())[63 - threadIdx.x];
  y[blockIdx.x * 64 + threadIdx.x] = value + __clusterSizeInBlocks() + __isClusterShared(tile);
}
