// ---
// about = "f32 to both fp8 formats, saturating, and back."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { start = -20.0, step = 16.0 }
// [[arguments]]
// name = "y"
// dtype = "f8e4m3"
// elements = 64
// role = "output"
// [[arguments]]
// name = "z"
// dtype = "f8e5m2"
// elements = 64
// role = "output"
// [[arguments]]
// name = "w"
// dtype = "f32"
// elements = 64
// role = "output"
// [expected]
// buffer = "w"
// at = { 2 = 24.0, 30 = 896.0 }
// relative = 1e-06
// ---
#include <cuda_fp8.h>

extern "C" __global__ void kernel(const float* x, __nv_fp8_e4m3* y, __nv_fp8_e5m2* z, float* w) {
  float value = x[threadIdx.x];
  __nv_fp8_e4m3 small(value);
  __nv_fp8_e5m2 large(value);
  y[threadIdx.x] = small;
  z[threadIdx.x] = large;
  w[threadIdx.x] = float(small) + float(large);
}
