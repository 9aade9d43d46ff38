// ---
// about = "The half that has no input is set to zero first."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// [expected]
// buffer = "y"
// sum = 2016.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float tile[128];
  tile[threadIdx.x] = threadIdx.x < 64 ? x[threadIdx.x] : 0.0f;
  __syncthreads();
  y[threadIdx.x] = tile[127 - threadIdx.x];
}
