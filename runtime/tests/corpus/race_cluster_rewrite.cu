// ---
// about = "A loop writes its tile again while a neighbour block may still read it."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
// expect = "race"
// buffer = "tile"
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
  float sum = 0.0f;
  for (int i = 0; i < 3; ++i) {
    tile[threadIdx.x] = x[blockIdx.x * 64 + threadIdx.x] + i;  // BUG
    cluster_sync();
    sum += of_rank(tile, rank ^ 1)[threadIdx.x];  // BUG
    __syncthreads();
  }
  cluster_sync();
  y[blockIdx.x * 64 + threadIdx.x] = sum;
}
