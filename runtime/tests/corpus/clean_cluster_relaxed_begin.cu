// ---
// about = "A relaxed barrier is enough to know that every block has begun."
// entry = "kernel"
// grid = [4]
// block = [32]
// cluster = [4]
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
// elements = 1
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 8128.0 }
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
  __shared__ float parts[4];
  unsigned rank = __clusterRelativeBlockRank();
  float value = x[blockIdx.x * 32 + threadIdx.x];
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(~0u, value, offset);
  __cluster_barrier_arrive_relaxed();
  __cluster_barrier_wait();
  if (threadIdx.x == 0) of_rank(parts, 0)[rank] = value;
  cluster_sync();
  if (rank == 0 && threadIdx.x == 0) *y = parts[0] + parts[1] + parts[2] + parts[3];
}
