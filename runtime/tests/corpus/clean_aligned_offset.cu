// ---
// about = "16-byte loads four elements into the buffer."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 8640.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  reinterpret_cast<float4*>(y)[threadIdx.x] = reinterpret_cast<const float4*>(x + 4)[threadIdx.x];
}
