// ---
// about = "A 32 by 32 product of ragged matrices in shared tiles of 16."
// entry = "kernel"
// grid = [2, 2]
// block = [16, 16]
// expect = "clean"
// [[arguments]]
// name = "a"
// dtype = "f32"
// elements = 600
// role = "input"
// fill = { step = 1.0, modulo = 7 }
// [[arguments]]
// name = "b"
// dtype = "f32"
// elements = 560
// role = "input"
// fill = { step = 1.0, modulo = 5 }
// [[arguments]]
// name = "c"
// dtype = "f32"
// elements = 840
// role = "output"
// [[arguments]]
// name = "m"
// scalar = "i32"
// value = 30
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 28
// [[arguments]]
// name = "k"
// scalar = "i32"
// value = 20
// [expected]
// buffer = "c"
// sum = 100530.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* a, const float* b, float* c, int m, int n, int k) {
  __shared__ float left[16][16], right[16][16];
  int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
  float sum = 0.0f;
  for (int base = 0; base < k; base += 16) {
    int inner = base + threadIdx.x, outer = base + threadIdx.y;
    left[threadIdx.y][threadIdx.x] = row < m && inner < k ? a[row * k + inner] : 0.0f;
    right[threadIdx.y][threadIdx.x] = outer < k && column < n ? b[outer * n + column] : 0.0f;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 16; ++i) sum = fmaf(left[threadIdx.y][i], right[i][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}
