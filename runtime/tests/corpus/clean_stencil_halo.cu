// ---
// about = "A five-point stencil; each block loads its halo."
// entry = "kernel"
// grid = [4]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0, modulo = 17 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 256
// [expected]
// buffer = "y"
// sum = 10183.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[68];
  int base = blockIdx.x * 64;
  for (int k = threadIdx.x; k < 68; k += 64) {
    int i = base + k - 2;
    tile[k] = 0 <= i && i < n ? x[i] : 0.0f;
  }
  __syncthreads();
  float sum = 0.0f;
#pragma unroll
  for (int k = 0; k < 5; ++k) sum += tile[threadIdx.x + k];
  y[base + threadIdx.x] = sum;
}
