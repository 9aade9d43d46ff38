// ---
// about = "The ragged tail is guarded."
// entry = "kernel"
// grid = [3]
// block = [128]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 89700.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * 2.0f;
}
