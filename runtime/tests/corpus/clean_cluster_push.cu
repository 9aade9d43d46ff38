// ---
// about = "Blocks push to each other and read only what they received, so none need outlive the barrier."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [4]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 32640.0, 255 = 32640.0 }
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
  __shared__ float slots[4][2];
  unsigned rank = __clusterRelativeBlockRank(), warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  __cluster_barrier_arrive_relaxed();
  float value = x[blockIdx.x * 64 + threadIdx.x];
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(~0u, value, offset);
  __cluster_barrier_wait();
  if (lane < 4) *of_rank(&slots[rank][warp], lane) = value;
  cluster_sync();
  float sum = 0.0f;
  for (int i = 0; i < 4; ++i) sum += slots[i][0] + slots[i][1];
  y[blockIdx.x * 64 + threadIdx.x] = sum;
}
