// ---
// about = "The last barrier after a remote atomic is relaxed, so it does not hold the other block."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
// expect = "race"
// buffer = "total"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 4
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
  __shared__ float total;
  unsigned rank = __clusterRelativeBlockRank();
  if (threadIdx.x == 0) total = 0.0f;
  cluster_sync();
  atomicAdd(of_rank(&total, rank ^ 1), x[blockIdx.x * 64 + threadIdx.x]);  // BUG
  __cluster_barrier_arrive_relaxed();
  __cluster_barrier_wait();
  if (threadIdx.x == 0) y[blockIdx.x] = atomicAdd(&total, 0.0f);
}
