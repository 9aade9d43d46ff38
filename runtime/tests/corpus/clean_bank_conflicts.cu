// ---
// about = "Strided shared accesses: slow, and correct."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 1024
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1024
// role = "output"
// [expected]
// buffer = "y"
// sum = 523776.0
// at = { 1 = 32.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[1024];
  for (int k = 0; k < 32; ++k) tile[threadIdx.x * 32 + k] = x[k * 32 + threadIdx.x];
  __syncwarp();
  for (int k = 0; k < 32; ++k) y[k * 32 + threadIdx.x] = tile[k * 32 + threadIdx.x];
}
