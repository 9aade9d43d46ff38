// ---
// about = "The last elements of the static and of the dynamic shared array are used, and no more."
// entry = "kernel"
// grid = [1]
// block = [128]
// shared_memory_bytes = 512
// expect = "clean"
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
// [expected]
// buffer = "y"
// sum = 24384.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ float fixed[128];
  extern __shared__ float dynamic[];
  fixed[127 - threadIdx.x] = x[threadIdx.x];
  dynamic[127 - threadIdx.x] = x[threadIdx.x] * 2.0f;
  __syncthreads();
  y[threadIdx.x] = fixed[threadIdx.x] + dynamic[threadIdx.x];
}
