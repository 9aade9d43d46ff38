// ---
// about = "A copy by __ldg of float4."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 512
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 512
// role = "output"
// [expected]
// buffer = "y"
// sum = 130816.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float4* x, float4* y) {
  int i = blockIdx.x * 64 + threadIdx.x;
  y[i] = __ldg(x + i);
}
