// ---
// about = "Whole blocks past the end return before the barrier."
// entry = "kernel"
// grid = [3]
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
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 128
// [expected]
// buffer = "y"
// sum = 8128.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= n) return;
  tile[threadIdx.x] = x[i];
  __syncthreads();
  y[i] = tile[threadIdx.x ^ 40];
}
