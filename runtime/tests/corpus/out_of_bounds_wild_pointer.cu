// ---
// about = "A stride in the wrong unit sends the store gigabytes away."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "out_of_bounds"
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
// [[arguments]]
// name = "stride"
// scalar = "i64"
// value = 268435456
// ---
extern "C" __global__ void kernel(const float* x, float* y, long long stride) {
  float value = x[threadIdx.x];
  y[threadIdx.x * stride] = value;  // BUG
}
