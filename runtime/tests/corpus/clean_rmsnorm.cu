// ---
// about = "Root-mean-square normalisation, a block a row."
// entry = "kernel"
// grid = [2]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 512
// role = "input"
// fill = { start = 0.5, step = 0.5, modulo = 13 }
// [[arguments]]
// name = "weight"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { start = 1.0, step = 0.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 512
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 256
// [[arguments]]
// name = "eps"
// scalar = "f32"
// value = 1e-06
// [expected]
// buffer = "y"
// sum = 450.84811468983133
// relative = 1e-05
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

extern "C" __global__ void kernel(const float* x, const float* weight, float* y, int n, float eps) {
  __shared__ float warps[32];
  const float* row = x + size_t(blockIdx.x) * n;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += row[i] * row[i];
  float scale = rsqrtf(block_sum(sum, warps) / n + eps);
  for (int i = threadIdx.x; i < n; i += blockDim.x) y[size_t(blockIdx.x) * n + i] = row[i] * scale * weight[i];
}
