// ---
// about = "Newton's iteration to a tolerance that float cannot reach."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "timeout"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { start = 2.0, step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float a = x[threadIdx.x], root = a;
#pragma unroll 1
  while (fabsf(root * root - a) >= 0.0f) {  // BUG
    root = 0.5f * (root + a / root);  // BUG
  }
  y[threadIdx.x] = root;
}
