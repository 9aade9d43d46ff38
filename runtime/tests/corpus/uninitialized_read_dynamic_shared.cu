// ---
// about = "The padding column of a dynamic shared tile is summed with the rest."
// entry = "kernel"
// grid = [1]
// block = [32]
// shared_memory_bytes = 4224
// expect = "uninitialized_read"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 1024
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  extern __shared__ float tile[];
  for (int row = 0; row < 32; ++row) tile[row * 33 + threadIdx.x] = x[row * 32 + threadIdx.x];
  __syncwarp();
  float sum = 0.0f;
  for (int column = 0; column < 33; ++column) sum += tile[threadIdx.x * 33 + column];  // BUG
  y[threadIdx.x] = sum;
}
