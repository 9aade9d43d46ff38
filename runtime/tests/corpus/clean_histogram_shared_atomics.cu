// ---
// about = "Shared bins with atomics, added to the output with atomics."
// entry = "kernel"
// grid = [4]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 512
// role = "input"
// fill = { step = 1, modulo = 16 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 16
// role = "inout"
// fill = { step = 0 }
// [expected]
// buffer = "y"
// sum = 512.0
// at = { 0 = 32.0, 15 = 32.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  __shared__ int bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&bins[x[blockIdx.x * 128 + threadIdx.x]], 1);
  __syncthreads();
  if (threadIdx.x < 16) atomicAdd(&y[threadIdx.x], bins[threadIdx.x]);
}
