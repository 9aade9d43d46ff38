// ---
// about = "A block reads what its neighbour writes in the same launch."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "race"
// buffer = "scratch"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "scratch"
// dtype = "f32"
// elements = 128
// role = "inout"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* scratch, float* y) {
  int i = blockIdx.x * 64 + threadIdx.x;
  scratch[i] = x[i] * 2.0f;  // BUG
  float other = scratch[127 - i];  // BUG
  y[i] = other;
}
