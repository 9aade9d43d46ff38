// ---
// about = "An address of the cluster's window is used in the block's own."
// entry = "kernel"
// grid = [2]
// block = [32]
// cluster = [2]
// expect = "out_of_bounds"
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
// role = "output"
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32];
  unsigned rank = __clusterRelativeBlockRank(), at;
  tile[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  cluster_sync();
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(at) : "r"((unsigned)__cvta_generic_to_shared(&tile[threadIdx.x])), "r"(rank ^ 1));
  float other;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(other) : "r"(at) : "memory");  // BUG
  cluster_sync();
  y[blockIdx.x * 32 + threadIdx.x] = other;
}
