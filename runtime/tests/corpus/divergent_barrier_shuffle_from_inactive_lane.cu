// ---
// about = "The mask names who calls, but the value is asked of a lane outside it."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = ["divergent_barrier", "uninitialized_read"]
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
    value = __shfl_sync(0x0000ffffu, value, threadIdx.x + 16);  // BUG
  }
  y[threadIdx.x] = value;
}
