// ---
// about = "One warp updates a shared counter atomically while another reads it plainly."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "race"
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(unsigned* y) {
  __shared__ unsigned counter;
  if (threadIdx.x == 0) counter = 0;
  __syncthreads();
  unsigned seen = 0;
  if (threadIdx.x < 32) atomicAdd(&counter, threadIdx.x);  // BUG
  if (threadIdx.x >= 32) seen = counter;  // BUG
  y[threadIdx.x] = seen;
}
