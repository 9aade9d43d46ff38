// ---
// about = "A block waits for a flag in its shared memory that no block of its cluster sets."
// entry = "kernel"
// grid = [2]
// block = [32]
// cluster = [2]
// expect = "timeout"
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
// role = "inout"
// fill = { start = 0.0 }
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ int flag;
  unsigned rank = __clusterRelativeBlockRank();
  if (threadIdx.x == 0) flag = 0;
  cluster_sync();
  int* other = (int*)__cluster_map_shared_rank(&flag, rank ^ 1);
  if (threadIdx.x == 0 && rank == 0) atomicExch(other, 1);
  if (rank == 0) while (*(volatile int*)&flag == 0) __nanosleep(20);  // BUG
  cluster_sync();
  y[blockIdx.x * 32 + threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
}
