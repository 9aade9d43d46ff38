// ---
// about = "Indices outside are replaced before the load."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
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
// fill = { step = 1, start = -3 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 64
// [expected]
// buffer = "y"
// sum = 1827.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, const int* index, float* y, int n) {
  int from = index[threadIdx.x];
  y[threadIdx.x] = 0 <= from && from < n ? x[from] : -1.0f;
}
