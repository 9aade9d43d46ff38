// ---
// about = "The last 16-byte load begins inside the buffer and ends outside."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "out_of_bounds"
// buffer = "x"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 127
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  reinterpret_cast<float4*>(y)[threadIdx.x] = reinterpret_cast<const float4*>(x)[threadIdx.x];  // BUG
}
