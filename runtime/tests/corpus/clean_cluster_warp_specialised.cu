// ---
// about = "One warp pulls tiles of every block, the others use them after a barrier of their block."
// entry = "kernel"
// grid = [4]
// block = [128]
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
// at = { 0 = 768.0, 511 = 1279.0 }
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
  __shared__ float mine[128];
  __shared__ float all[4][128];
  mine[threadIdx.x] = x[blockIdx.x * 128 + threadIdx.x];
  cluster_sync();
  if (threadIdx.x < 32) {
    for (unsigned rank = 0; rank < 4; ++rank) {
      for (unsigned i = threadIdx.x; i < 128; i += 32) all[rank][i] = of_rank(mine, rank)[i];
    }
  }
  cluster_sync();
  float sum = 0.0f;
  for (unsigned rank = 0; rank < 4; ++rank) sum += all[rank][127 - threadIdx.x];
  mine[127 - threadIdx.x] = sum;
  __syncthreads();
  y[blockIdx.x * 128 + threadIdx.x] = mine[threadIdx.x] + blockIdx.x;
}
