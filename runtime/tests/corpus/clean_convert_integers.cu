// ---
// about = "Saturating and wrapping conversions between float, double and integers of every width."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { start = -400.0, step = 25.5 }
// [[arguments]]
// name = "y"
// dtype = "i64"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, long long* y) {
  float value = x[threadIdx.x];
  signed char narrow = (signed char)(int)value;
  unsigned short rounded = (unsigned short)__float2int_rn(value);
  long long wide = __float2ll_rd(value) + (long long)ceil(double(value)) + __float2uint_rz(value);
  y[threadIdx.x] = narrow + rounded + wide;
}
