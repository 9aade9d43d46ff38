// ---
// about = "A cluster's barrier orders what its blocks write to global memory."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "scratch"
// dtype = "f32"
// elements = 256
// role = "inout"
// fill = { start = 0.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// at = { 0 = 127.0, 64 = 63.0, 255 = 128.0 }
// relative = 1e-06
// ---
__device__ inline void cluster_sync() {
  __cluster_barrier_arrive();
  __cluster_barrier_wait();
}

extern "C" __global__ void kernel(const float* x, float* scratch, float* y) {
  unsigned at = blockIdx.x * 64 + threadIdx.x;
  scratch[at] = x[at];
  cluster_sync();
  y[at] = scratch[(blockIdx.x ^ 1) * 64 + 63 - threadIdx.x];
}
