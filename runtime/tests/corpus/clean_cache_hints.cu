// ---
// about = "Loads and stores with every cache operator."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// [expected]
// buffer = "y"
// sum = 10080.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  int i = threadIdx.x;
  float value = __ldcs(x + i) + __ldcg(x + i) + __ldca(x + i) + __ldlu(x + i) + __ldcv(x + i);
  float4 hinted;
  asm volatile("ld.global.L1::no_allocate.L2::128B.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(hinted.x), "=f"(hinted.y), "=f"(hinted.z), "=f"(hinted.w) : "l"(x + i / 4 * 4));
  __stcs(y + i, value + hinted.x - hinted.x);
}
