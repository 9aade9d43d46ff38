// ---
// about = "Work lies between arriving and waiting; the last arrival is relaxed, after a fence."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
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
// at = { 0 = 127.0, 64 = 127.0 }
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
  __shared__ float tile[64];
  __shared__ float own[64];
  unsigned rank = __clusterRelativeBlockRank();
  float value = x[blockIdx.x * 64 + threadIdx.x];
  tile[threadIdx.x] = value;
  __cluster_barrier_arrive();
  own[63 - threadIdx.x] = value;
  __syncthreads();
  float sum = own[threadIdx.x];
  __cluster_barrier_wait();
  sum += of_rank(tile, rank ^ 1)[threadIdx.x];
  asm volatile("fence.acq_rel.cluster;" ::: "memory");
  __cluster_barrier_arrive_relaxed();
  y[blockIdx.x * 64 + threadIdx.x] = sum;
  __cluster_barrier_wait();
}
