// ---
// about = "A vote names all 32 lanes after some of them returned."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "divergent_barrier"
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
// ---
extern "C" __global__ void kernel(const float* x, unsigned* y, int n) {
  if (threadIdx.x >= n) return;
  unsigned votes = __ballot_sync(0xffffffffu, x[threadIdx.x] > 4.0f);  // BUG
  y[threadIdx.x] = votes;
}
