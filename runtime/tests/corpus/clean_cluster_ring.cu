// ---
// about = "Each block hands its tile to the next of its cluster."
// entry = "kernel"
// grid = [8]
// block = [64]
// cluster = [4]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 512
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 512
// role = "output"
// [expected]
// buffer = "y"
// sum = 130816.0
// at = { 0 = 64.0, 64 = 128.0, 192 = 0.0, 511 = 319.0 }
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
  unsigned rank = __clusterRelativeBlockRank(), blocks = __clusterSizeInBlocks();
  float value = x[blockIdx.x * 64 + threadIdx.x];
  cluster_sync();
  for (unsigned step = 0; step < 3; ++step) {
    of_rank(tile, (rank + 1) % blocks)[threadIdx.x] = value;
    cluster_sync();
    value = tile[threadIdx.x];
    cluster_sync();
  }
  y[blockIdx.x * 64 + threadIdx.x] = value;
}
