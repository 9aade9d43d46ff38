// ---
// about = "Lanes of one warp exchange through shared memory with nothing to order them."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "race"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 32
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32];
  tile[threadIdx.x] = 0.0f;
  __syncwarp();
  tile[threadIdx.x] = x[threadIdx.x];  // BUG
  float other = tile[threadIdx.x ^ 1];  // BUG
  y[threadIdx.x] = other;
}
