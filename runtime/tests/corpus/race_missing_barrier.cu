// ---
// about = "A neighbour warp's value is read with no barrier between."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = ["race", "uninitialized_read"]
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 128
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
  tile[threadIdx.x] = x[threadIdx.x];  // BUG
  float other = tile[(threadIdx.x + 32) % 128];  // BUG
  y[threadIdx.x] = other;
}
