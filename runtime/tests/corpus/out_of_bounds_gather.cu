// ---
// about = "An index read from memory is not checked."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "out_of_bounds"
// buffer = "x"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "index"
// dtype = "i32"
// elements = 64
// role = "input"
// fill = { step = 1, start = 3 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, const int* index, float* y) {
  int from = index[threadIdx.x];
  y[threadIdx.x] = x[from];  // BUG
}
