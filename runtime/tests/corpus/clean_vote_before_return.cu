// ---
// about = "All lanes vote, then those past the end return."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 20
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 20
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 20
// [expected]
// buffer = "y"
// sum = 20970880.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, unsigned* y, int n) {
  bool inside = threadIdx.x < n;
  unsigned votes = __ballot_sync(0xffffffffu, inside && x[threadIdx.x] > 4.0f);
  if (!inside) return;
  y[threadIdx.x] = votes;
}
