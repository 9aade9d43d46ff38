// ---
// about = "A vote names all 32 lanes after some returned: only lanes that have not exited must take part (CUDA C++ Programming Guide, warp vote functions)."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 20
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 20
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 20
// [expected]
// buffer = "y"
// sum = 20970880.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, unsigned* y, int n) {
  if (threadIdx.x >= n) return;
  unsigned votes = __ballot_sync(0xffffffffu, x[threadIdx.x] > 4.0f);
  __syncwarp();
  y[threadIdx.x] = votes;
}
