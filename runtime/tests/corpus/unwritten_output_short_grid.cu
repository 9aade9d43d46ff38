// ---
// about = "The number of blocks was rounded down."
// entry = "kernel"
// grid = [2]
// block = [128]
// expect = "unwritten_output"
// buffer = "y"
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
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 300
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] + 1.0f;
}
