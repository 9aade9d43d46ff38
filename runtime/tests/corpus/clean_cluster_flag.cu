// ---
// about = "A block releases a flag in another's shared memory, which spins on it."
// entry = "kernel"
// grid = [4]
// block = [32]
// cluster = [2]
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
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 32.0, 32 = 0.0, 127 = 95.0 }
// relative = 1e-06
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

__device__ inline unsigned address(const void* p, unsigned rank) {
  unsigned at;
  asm("mapa.shared::cluster.u32 %0, %1, %2;"
      : "=r"(at) : "r"((unsigned)__cvta_generic_to_shared(p)), "r"(rank));
  return at;
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32];
  __shared__ unsigned flag;
  unsigned rank = __clusterRelativeBlockRank(), at = blockIdx.x * 32 + threadIdx.x;
  if (threadIdx.x == 0) flag = 0;
  cluster_sync();
  unsigned to = address(tile, rank ^ 1) + threadIdx.x * 4;
  asm volatile("st.shared::cluster.f32 [%0], %1;" :: "r"(to), "f"(x[at]) : "memory");
  __syncwarp();
  if (threadIdx.x == 0) {
    asm volatile("st.release.cluster.shared::cluster.u32 [%0], %1;"
                 :: "r"(address(&flag, rank ^ 1)), "r"(1) : "memory");
    unsigned seen;
    do {
      asm volatile("ld.acquire.cluster.shared::cta.u32 %0, [%1];"
                   : "=r"(seen) : "r"((unsigned)__cvta_generic_to_shared(&flag)) : "memory");
    } while (seen == 0);
  }
  __syncwarp();
  y[at] = tile[threadIdx.x];
  cluster_sync();
}
