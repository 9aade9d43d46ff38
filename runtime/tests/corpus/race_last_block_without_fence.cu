// ---
// about = "The last block sums what the others stored, but nothing released those stores."
// entry = "kernel"
// grid = [4]
// block = [32]
// expect = "race"
// buffer = "partial"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "partial"
// dtype = "f32"
// elements = 4
// role = "inout"
// fill = { step = 0.0 }
// [[arguments]]
// name = "count"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* partial, unsigned* count, float* y) {
  float sum = x[blockIdx.x * 32 + threadIdx.x];
  for (int offset = 16; offset; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sum;  // BUG
    if (atomicAdd(count, 1u) == gridDim.x - 1) {
      float total = 0.0f;
      for (int block = 0; block < 4; ++block) total += partial[block];  // BUG
      y[0] = total;
    }
  }
}
