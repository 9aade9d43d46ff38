// ---
// about = "A flag in another block's shared memory is set with nothing that releases what was written before."
// entry = "kernel"
// grid = [4]
// block = [32]
// cluster = [2]
// expect = "race"
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
  __shared__ float tile[32];
  __shared__ int flag;
  unsigned rank = __clusterRelativeBlockRank();
  if (threadIdx.x == 0) flag = 0;
  cluster_sync();
  of_rank(tile, rank ^ 1)[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];  // BUG
  __syncwarp();
  if (threadIdx.x == 0) {
    atomicExch((int*)__cluster_map_shared_rank(&flag, rank ^ 1), 1);
    while (*(volatile int*)&flag == 0) __nanosleep(20);
    __threadfence();
  }
  __syncwarp();
  y[blockIdx.x * 32 + threadIdx.x] = tile[threadIdx.x];  // BUG
  cluster_sync();
}
