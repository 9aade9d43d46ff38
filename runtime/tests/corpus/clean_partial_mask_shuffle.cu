// ---
// about = "Half a warp shuffles with the mask of that half."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 872.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float value = x[threadIdx.x];
  if (threadIdx.x < 16) {
    value = __shfl_xor_sync(0x0000ffffu, value, 8);
  } else {
    value = __shfl_xor_sync(0xffff0000u, value, 4) * 2.0f;
  }
  y[threadIdx.x] = value;
}
