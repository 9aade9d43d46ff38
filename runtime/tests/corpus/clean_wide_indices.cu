// ---
// about = "64-bit indices, a three-dimensional grid and block, special registers."
// entry = "kernel"
// grid = [2, 2, 2]
// block = [4, 4, 4]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "i64"
// elements = 512
// role = "output"
// [expected]
// buffer = "y"
// sum = 130816000915712.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(long long* y) {
  unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  unsigned lane, below;
  asm("mov.u32 %0, %%laneid;" : "=r"(lane));
  asm("mov.u32 %0, %%lanemask_lt;" : "=r"(below));
  long long i = (long long)block * 64 + thread;
  y[i] = i * 1000000007ll + lane - __popc(below);
}
