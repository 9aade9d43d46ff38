// ---
// about = "Half the threads of a block wait for the cluster, the others for the block."
// entry = "kernel"
// grid = [2]
// block = [64]
// cluster = [2]
// expect = "divergent_barrier"
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
// role = "inout"
// fill = { start = 0.0 }
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[64];
  if (threadIdx.x < 32) {
    tile[threadIdx.x] = x[threadIdx.x];
    __cluster_barrier_arrive();
    __cluster_barrier_wait();  // BUG
  } else {
    asm volatile("bar.sync 0;" ::: "memory");  // BUG
  }
  y[blockIdx.x * 64 + threadIdx.x] = tile[threadIdx.x % 32];
}
