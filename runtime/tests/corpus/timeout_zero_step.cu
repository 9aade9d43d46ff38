// ---
// about = "A grid-stride loop whose stride is an argument, and zero."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "timeout"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 64
// [[arguments]]
// name = "step"
// scalar = "i32"
// value = 0
// ---
extern "C" __global__ void kernel(float* y, int n, int step) {
#pragma unroll 1
  for (int i = threadIdx.x; i < n; i += step) {  // BUG
    y[i] = float(i);  // BUG
  }
}
