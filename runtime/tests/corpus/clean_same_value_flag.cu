// ---
// about = "Blocks that find something all store the same flag: unordered stores of one value are no race."
// entry = "kernel"
// grid = [4]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "flag"
// dtype = "i32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "flag"
// sum = 1.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, int* flag, float* y) {
  int i = blockIdx.x * 64 + threadIdx.x;
  if (x[i] > 10.0f) *flag = 1;
  y[i] = x[i];
}
