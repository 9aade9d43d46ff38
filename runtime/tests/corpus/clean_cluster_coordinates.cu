// ---
// about = "Every block knows its place in a cluster of two by two by one."
// entry = "kernel"
// grid = [4, 4]
// block = [32]
// cluster = [2, 2]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 512
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 4003.0, 32 = 4002.0, 64 = 4013.0, 128 = 4001.0, 511 = 4110.0 }
// relative = 1e-06
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(int* y) {
  __shared__ int place;
  dim3 id = __clusterIdx(), inside = __clusterRelativeBlockIdx(), size = __clusterDim();
  dim3 count = __clusterGridDimInClusters();
  unsigned rank = inside.x + size.x * (inside.y + size.y * inside.z);
  if (threadIdx.x == 0) place = rank == __clusterRelativeBlockRank() ? 100 * id.y + 10 * id.x : -1;
  cluster_sync();
  int* other = (int*)__cluster_map_shared_rank(&place, 3 - rank);
  unsigned told = __cluster_query_shared_rank(other);
  int value = *other + told + 1000 * (count.x * count.y * count.z);
  cluster_sync();
  unsigned block = blockIdx.x + gridDim.x * blockIdx.y;
  y[block * 32 + threadIdx.x] = value;
}
