// ---
// about = "Waits for a flag that nobody sets."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "timeout"
// [[arguments]]
// name = "flag"
// dtype = "i32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(volatile int* flag, float* y) {
  while (*flag == 0) {  // BUG
  }
  y[threadIdx.x] = 1.0f;
}
