// ---
// about = "Lanes call __syncwarp with a mask that they are not in."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "divergent_barrier"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32];
  tile[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x < 8) {
    __syncwarp(0xff00u);  // BUG
  }
  y[threadIdx.x] = tile[threadIdx.x];
}
