// ---
// about = "All lanes store the same value to one element with one instruction."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 0, start = 5 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 1
// role = "output"
// [expected]
// buffer = "y"
// sum = 5.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  y[0] = x[threadIdx.x];
}
