// ---
// about = "Another kernel of the file uses what the emulator does not know; this one does not."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 32.0
// relative = 1e-06
// ---
extern "C" __global__ void other(float* y) {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  y[threadIdx.x] = 2.0f;
}

extern "C" __global__ void kernel(float* y) { y[threadIdx.x] = 1.0f; }
