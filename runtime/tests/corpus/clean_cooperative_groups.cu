// ---
// about = "A tile of a cooperative group shuffles and synchronises."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 34272.0
// relative = 1e-06
// ---
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[64];
  cg::thread_block block = cg::this_thread_block();
  cg::thread_block_tile<16> group = cg::tiled_partition<16>(block);
  tile[threadIdx.x] = x[threadIdx.x];
  group.sync();
  float sum = tile[threadIdx.x ^ 1];
  for (int offset = group.size() / 2; offset; offset /= 2) sum += group.shfl_xor(sum, offset);
  block.sync();
  y[threadIdx.x] = sum + tile[63 - threadIdx.x];
}
