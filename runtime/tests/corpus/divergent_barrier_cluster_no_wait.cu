// ---
// about = "The threads exit after their arrival without a wait."
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
  y[blockIdx.x * 32 + threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
  __cluster_barrier_arrive();  // BUG
}  // BUG
