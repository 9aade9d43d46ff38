// ---
// about = "Double precision arithmetic and reductions."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f64"
// elements = 64
// role = "input"
// fill = { start = 0.5, step = 0.25 }
// [[arguments]]
// name = "y"
// dtype = "f64"
// elements = 64
// role = "output"
// [expected]
// buffer = "y"
// sum = 5918.740334836056
// relative = 1e-12
// ---
extern "C" __global__ void kernel(const double* x, double* y) {
  double value = x[threadIdx.x];
  double sum = value;
  for (int offset = 16; offset; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  y[threadIdx.x] = fma(value, value, 1.0) + sqrt(value) / sum;
}
