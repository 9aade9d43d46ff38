// ---
// about = "Counts go to bins spread over the blocks of a cluster, by remote atomics."
// entry = "kernel"
// grid = [4]
// block = [128]
// cluster = [4]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 512
// role = "input"
// fill = { step = 1.0, modulo = 64 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 64
// role = "output"
// [expected]
// buffer = "y"
// sum = 512.0
// at = { 0 = 8.0, 63 = 8.0 }
// relative = 1e-06
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const int* x, int* y) {
  __shared__ int bins[16];
  unsigned rank = __clusterRelativeBlockRank();
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  cluster_sync();
  int bin = x[blockIdx.x * 128 + threadIdx.x];
  atomicAdd((int*)__cluster_map_shared_rank(&bins[bin % 16], bin / 16), 1);
  cluster_sync();
  if (threadIdx.x < 16) y[rank * 16 + threadIdx.x] = bins[threadIdx.x];
}
