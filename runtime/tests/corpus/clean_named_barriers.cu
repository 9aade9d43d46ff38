// ---
// about = "Two producers and two consumers hand over with named barriers: arrive on one side, sync on the other."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 32640.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[64];
#pragma unroll 1
  for (int round = 0; round < 4; ++round) {
    if (threadIdx.x < 64) {
      if (round) asm volatile("bar.sync 2, 128;" ::: "memory");
      tile[threadIdx.x] = x[round * 64 + threadIdx.x];
      asm volatile("bar.arrive 1, 128;" ::: "memory");
    } else {
      asm volatile("bar.sync 1, 128;" ::: "memory");
      y[round * 64 + threadIdx.x - 64] = tile[127 - threadIdx.x];
      if (round < 3) asm volatile("bar.arrive 2, 128;" ::: "memory");
    }
  }
}
