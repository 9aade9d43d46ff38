// ---
// about = "One block of a cluster returns before the barrier of the others."
// entry = "kernel"
// grid = [4]
// block = [32]
// cluster = [4]
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
  if (blockIdx.x == 3) return;  // BUG
  __cluster_barrier_arrive();  // BUG
  __cluster_barrier_wait();  // BUG
  y[blockIdx.x * 32 + threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
}
