// ---
// about = "A padded transpose leaves its padding column unwritten and unread."
// entry = "kernel"
// grid = [1]
// block = [32, 8]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 1024
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 1024
// role = "output"
// [expected]
// buffer = "y"
// sum = 523776.0
// at = { 1 = 32.0, 33 = 33.0, 1023 = 1023.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32][33];
  for (int row = threadIdx.y; row < 32; row += 8) tile[row][threadIdx.x] = x[row * 32 + threadIdx.x];
  __syncthreads();
  for (int row = threadIdx.y; row < 32; row += 8) y[row * 32 + threadIdx.x] = tile[threadIdx.x][row];
}
