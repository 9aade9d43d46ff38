// ---
// about = "8-byte stores every 12 bytes."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "misaligned"
// buffer = "y"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 96
// role = "output"
// ---
extern "C" __global__ void kernel(float* y) {
  *reinterpret_cast<float2*>(y + threadIdx.x * 3) = make_float2(1.0f, 2.0f);  // BUG
  y[threadIdx.x * 3 + 2] = 3.0f;
}
