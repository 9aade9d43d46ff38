// ---
// about = "16-byte pieces, then a scalar tail."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 102
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 102
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 102
// [expected]
// buffer = "y"
// sum = 5151.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  int pieces = n / 4;
  for (int i = threadIdx.x; i < pieces; i += 32) reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
  int tail = pieces * 4 + threadIdx.x;
  if (tail < n) y[tail] = x[tail];
}
