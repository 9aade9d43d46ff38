// ---
// about = "An atomic on an input."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "modified_input"
// buffer = "x"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 64
// role = "input"
// fill = { step = 1 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(int* x, int* y) {
  y[threadIdx.x] = atomicMax(x + threadIdx.x / 2, 7);  // BUG
}
