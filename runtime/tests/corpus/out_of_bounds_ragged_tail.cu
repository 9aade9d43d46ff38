// ---
// about = "The grid covers more elements than there are, and nothing guards the tail."
// entry = "kernel"
// grid = [3]
// block = [128]
// expect = "out_of_bounds"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 300
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 300
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  float value = x[i];  // BUG
  y[i] = value * 2.0f;  // BUG
}
