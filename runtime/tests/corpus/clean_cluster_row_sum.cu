// ---
// about = "The blocks of a cluster add up a row through each other's shared memory."
// entry = "kernel"
// grid = [8]
// block = [64]
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
// at = { 0 = 32640.0, 255 = 32643.0, 256 = 98176.0, 511 = 98179.0 }
// relative = 1e-06
// ---
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float part;
  cg::cluster_group cluster = cg::this_cluster();
  float value = x[blockIdx.x * 64 + threadIdx.x];
  if (threadIdx.x == 0) part = 0.0f;
  __syncthreads();
  atomicAdd(&part, value);
  cluster.sync();
  float sum = 0.0f;
  for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
    sum += *cluster.map_shared_rank(&part, rank);
  }
  cluster.sync();
  y[blockIdx.x * 64 + threadIdx.x] = sum + cluster.block_rank();
}
