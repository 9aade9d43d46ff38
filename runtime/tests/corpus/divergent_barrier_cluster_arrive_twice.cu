// ---
// about = "A loop arrives at the barrier again without having waited."
// entry = "kernel"
// grid = [2]
// block = [32]
// cluster = [2]
// expect = "divergent_barrier"
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
extern "C" __global__ void kernel(const float* x, float* y) {
  for (int i = 0; i < 2; ++i) __cluster_barrier_arrive();  // BUG
  __cluster_barrier_wait();
  y[blockIdx.x * 32 + threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
}
