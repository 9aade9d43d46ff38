// ---
// about = "Lanes of one warp come to an aligned cluster barrier in two branches."
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
  float value = x[blockIdx.x * 32 + threadIdx.x];
  if (value < 16.0f) {
    asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");  // BUG
    value += 1.0f;
  } else {
    asm volatile("barrier.cluster.arrive.aligned;" ::: "memory");  // BUG
    value = value * value;
  }
  asm volatile("barrier.cluster.wait.aligned;" ::: "memory");  // BUG
  y[blockIdx.x * 32 + threadIdx.x] = value;
}
