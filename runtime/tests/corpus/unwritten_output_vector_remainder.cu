// ---
// about = "A copy in 16-byte pieces leaves the last two elements."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "unwritten_output"
// buffer = "y"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 102
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 102
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 102
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  if (threadIdx.x < n / 4) {
    float4 value = reinterpret_cast<const float4*>(x)[threadIdx.x];
    reinterpret_cast<float4*>(y)[threadIdx.x] = value;
  }
}
