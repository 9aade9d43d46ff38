// ---
// about = "A shuffle names all 32 lanes in a branch that 16 of them take."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "divergent_barrier"
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
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  if (threadIdx.x < 16) {
    value += __shfl_xor_sync(0xffffffffu, value, 8);  // BUG
  } else {
    value *= 3.0f;
  }
  y[threadIdx.x] = value;
}
