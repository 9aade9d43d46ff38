// ---
// about = "One buffer, a barrier after the store and none after the load: the next round overwrites it too early."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "race"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 512
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[128];
  float sum = 0.0f;
#pragma unroll 1
  for (int round = 0; round < 4; ++round) {
    tile[threadIdx.x] = x[round * 128 + threadIdx.x];  // BUG
    __syncthreads();
    sum += tile[127 - threadIdx.x];  // BUG
  }
  y[threadIdx.x] = sum;
}
