// ---
// about = "Blocks write to the first block of their cluster before it is known to have begun."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [4]
// expect = "race"
// buffer = "parts"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
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
  __shared__ float parts[4];
  unsigned rank = __clusterRelativeBlockRank();
  if (threadIdx.x == 0) of_rank(parts, 0)[rank] = x[blockIdx.x * 64];  // BUG
  cluster_sync();
  if (rank == 0 && threadIdx.x == 0) *y = parts[0] + parts[1] + parts[2] + parts[3];
}
