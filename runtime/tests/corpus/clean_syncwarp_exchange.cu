// ---
// about = "Lanes exchange through shared memory with __syncwarp on both sides."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 992.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[32];
  tile[threadIdx.x] = 0.0f;
  __syncwarp();
  tile[threadIdx.x] = x[threadIdx.x];
  __syncwarp();
  float other = tile[threadIdx.x ^ 1];
  __syncwarp();
  tile[threadIdx.x] = other * 2.0f;
  __syncwarp();
  y[threadIdx.x] = tile[31 - threadIdx.x];
}
