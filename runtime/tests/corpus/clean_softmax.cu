// ---
// about = "Softmax of ragged rows, a warp a row, values kept in registers."
// entry = "kernel"
// grid = [2]
// block = [32, 4]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 350
// role = "input"
// fill = { start = -3.0, step = 0.125, modulo = 41 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 350
// role = "output"
// [[arguments]]
// name = "rows"
// scalar = "i32"
// value = 7
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 50
// [expected]
// buffer = "y"
// sum = 7.0
// relative = 1e-05
// ---
extern "C" __global__ void kernel(const float* x, float* y, int rows, int n) {
  int row = blockIdx.x * blockDim.y + threadIdx.y;
  if (row >= rows) return;
  float values[2], peak = -__int_as_float(0x7f800000);
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    int i = threadIdx.x + k * 32;
    values[k] = i < n ? x[row * n + i] : -__int_as_float(0x7f800000);
    peak = fmaxf(peak, values[k]);
  }
  for (int offset = 16; offset; offset /= 2) peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, offset));
  float sum = 0.0f;
#pragma unroll
  for (int k = 0; k < 2; ++k) sum += values[k] = __expf(values[k] - peak);
  for (int offset = 16; offset; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
#pragma unroll
  for (int k = 0; k < 2; ++k) {
    int i = threadIdx.x + k * 32;
    if (i < n) y[row * n + i] = values[k] / sum;
  }
}
