// ---
// about = "A transpose in 32 by 32 tiles of a matrix that they do not divide."
// entry = "kernel"
// grid = [2, 2]
// block = [32, 8]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 2000
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 2000
// role = "output"
// [[arguments]]
// name = "rows"
// scalar = "i32"
// value = 40
// [[arguments]]
// name = "columns"
// scalar = "i32"
// value = 50
// [expected]
// buffer = "y"
// sum = 1999000.0
// at = { 1 = 50.0, 40 = 1.0, 1999 = 1999.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y, int rows, int columns) {
  __shared__ float tile[32][33];
  int column = blockIdx.x * 32 + threadIdx.x;
  for (int k = threadIdx.y; k < 32; k += 8) {
    int row = blockIdx.y * 32 + k;
    if (row < rows && column < columns) tile[k][threadIdx.x] = x[row * columns + column];
  }
  __syncthreads();
  int row = blockIdx.y * 32 + threadIdx.x;
  for (int k = threadIdx.y; k < 32; k += 8) {
    int out = blockIdx.x * 32 + k;
    if (row < rows && out < columns) y[out * rows + row] = tile[threadIdx.x][k];
  }
}
