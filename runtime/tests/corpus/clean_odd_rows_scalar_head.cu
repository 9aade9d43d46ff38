// ---
// about = "Rows of odd length of bf16: a scalar head where the row begins between words, pairs after it."
// entry = "kernel"
// grid = [2]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "bf16"
// elements = 66
// role = "input"
// fill = { step = 1.0, modulo = 7 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 2
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 33
// [expected]
// buffer = "y"
// sum = 192.0
// relative = 1e-06
// ---
#include <cuda_bf16.h>

extern "C" __global__ void kernel(const __nv_bfloat16* x, float* y, int n) {
  const __nv_bfloat16* row = x + blockIdx.x * n;
  int head = (reinterpret_cast<unsigned long long>(row) / 2) % 2;
  int pairs = (n - head) / 2;
  float sum = 0.0f;
  if (threadIdx.x < head) sum += float(row[threadIdx.x]);
  if (threadIdx.x < pairs) {
    __nv_bfloat162 pair = reinterpret_cast<const __nv_bfloat162*>(row + head)[threadIdx.x];
    sum += float(pair.x) + float(pair.y);
  }
  if (threadIdx.x < n - head - pairs * 2) sum += float(row[head + pairs * 2 + threadIdx.x]);
  for (int offset = 16; offset; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}
