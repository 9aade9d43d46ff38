// ---
// about = "A barrier inside a branch that a whole block takes or does not."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
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
// role = "output"
// [expected]
// buffer = "y"
// sum = 8128.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (blockIdx.x == 0) {
    tile[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = tile[63 - threadIdx.x];
  } else {
    y[i] = x[i];
  }
}
