// ---
// about = "__syncthreads_count, _and and _or."
// entry = "kernel"
// grid = [1]
// block = [96]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 96
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 96
// role = "output"
// [expected]
// buffer = "y"
// sum = 528960.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, int* y) {
  int count = __syncthreads_count(x[threadIdx.x] > 40.0f);
  int all = __syncthreads_and(x[threadIdx.x] >= 0.0f);
  int any = __syncthreads_or(x[threadIdx.x] > 1000.0f);
  y[threadIdx.x] = count * 100 + (all != 0) * 10 + (any != 0);
}
