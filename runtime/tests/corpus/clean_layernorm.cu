// ---
// about = "Mean and variance in two block reductions."
// entry = "kernel"
// grid = [3]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 384
// role = "input"
// fill = { start = 1.0, step = 0.75, modulo = 29 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 384
// role = "output"
// [expected]
// buffer = "y"
// at = { 133 = 0.32989762571904735 }
// relative = 0.0001
// ---
__device__ float block_sum(float value, float* warps) {
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? warps[threadIdx.x % 32] : 0.0f;
  for (int offset = 16; offset; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
  __syncthreads();
  return value;
}

extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float warps[32];
  float value = x[blockIdx.x * 128 + threadIdx.x];
  float mean = block_sum(value, warps) / 128.0f;
  float centred = value - mean;
  float variance = block_sum(centred * centred, warps) / 128.0f;
  y[blockIdx.x * 128 + threadIdx.x] = centred * rsqrtf(variance + 1e-5f);
}
