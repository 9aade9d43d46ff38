// ---
// about = "The last block to finish sums what the others stored: fence, then ticket."
// entry = "kernel"
// grid = [6]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 384
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "partial"
// dtype = "f32"
// elements = 6
// role = "inout"
// fill = { step = 0.0 }
// [[arguments]]
// name = "count"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1
// role = "output"
// [expected]
// buffer = "y"
// sum = 73536.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* partial, unsigned* count, float* y) {
  __shared__ float warps[2];
  __shared__ bool is_last;
  float sum = x[blockIdx.x * 64 + threadIdx.x];
  for (int offset = 16; offset; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = warps[0] + warps[1];
    __threadfence();
    is_last = atomicAdd(count, 1u) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (is_last && threadIdx.x == 0) {
    float total = 0.0f;
    for (unsigned block = 0; block < gridDim.x; ++block) total += __ldcg(&partial[block]);
    y[0] = total;
    *count = 0;
  }
}
