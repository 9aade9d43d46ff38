// ---
// about = "A wait has no arrival before it."
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
  __cluster_barrier_wait();  // BUG
  y[blockIdx.x * 32 + threadIdx.x] = value;
}
