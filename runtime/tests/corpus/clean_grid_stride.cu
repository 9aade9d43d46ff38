// ---
// about = "A grid-stride loop over more elements than threads."
// entry = "kernel"
// grid = [3]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 1000
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1000
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 1000
// [expected]
// buffer = "y"
// sum = 1000000.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* __restrict__ x, float* __restrict__ y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = fmaf(x[i], 2.0f, 1.0f);
}
