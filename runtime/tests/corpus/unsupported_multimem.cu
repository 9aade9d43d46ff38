// ---
// about = "A reduction on a multicast address."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "unsupported"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(float* y) {
  asm volatile("multimem.red.relaxed.sys.global.add.f32 [%0], %1;" ::"l"(y + threadIdx.x), "f"(1.0f) : "memory");  // BUG
}
