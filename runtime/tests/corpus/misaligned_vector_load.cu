// ---
// about = "A 16-byte load from a pointer that is only 4-byte aligned."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "misaligned"
// buffer = "x"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 132
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  reinterpret_cast<float4*>(y)[threadIdx.x] = reinterpret_cast<const float4*>(x + 1)[threadIdx.x];  // BUG
}
