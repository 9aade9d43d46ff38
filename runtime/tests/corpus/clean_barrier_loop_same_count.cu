// ---
// about = "A barrier in a ragged loop whose count is the same for all threads."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 160
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 160
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 160
// [expected]
// buffer = "y"
// sum = 12720.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[128];
#pragma unroll 1
  for (int base = 0; base < n; base += 128) {
    int i = base + threadIdx.x;
    tile[threadIdx.x] = i < n ? x[i] : 0.0f;
    __syncthreads();
    if (i < n) y[i] = tile[threadIdx.x ^ 1];
    __syncthreads();
  }
}
