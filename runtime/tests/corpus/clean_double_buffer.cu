// ---
// about = "Two buffers, one barrier a round: the next round writes the other one."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 130816.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[2][128];
  float sum = 0.0f;
#pragma unroll 1
  for (int round = 0; round < 4; ++round) {
    tile[round % 2][threadIdx.x] = x[round * 128 + threadIdx.x];
    __syncthreads();
    sum += tile[round % 2][127 - threadIdx.x];
  }
  y[threadIdx.x] = sum;
}
