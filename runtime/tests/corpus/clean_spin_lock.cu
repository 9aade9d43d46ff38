// ---
// about = "A lock that the holder of releases inside the loop: every lane gets it in turn."
// entry = "kernel"
// grid = [2]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "lock"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [expected]
// buffer = "y"
// sum = 64.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(unsigned* lock, volatile unsigned* y) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0u, 1u) == 0u) {
      __threadfence();
      *y = *y + 1u;
      __threadfence();
      atomicExch(lock, 0u);
      done = true;
    }
  }
}
