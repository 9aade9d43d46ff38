// ---
// about = "A pointer one past the end is made and compared, never read."
// entry = "kernel"
// grid = [1]
// block = [1]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 100
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 100
// [expected]
// buffer = "y"
// sum = 4950.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  float sum = 0.0f;
  const float* end = x + n;
  for (const float* at = x; at != end; ++at) sum += *at;
  y[0] = sum;
}
