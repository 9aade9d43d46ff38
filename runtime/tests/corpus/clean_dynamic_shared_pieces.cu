// ---
// about = "Two arrays of different types in one dynamic allocation."
// entry = "kernel"
// grid = [2]
// block = [64]
// shared_memory_bytes = 768
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
// sum = 8128.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  extern __shared__ __align__(16) unsigned char memory[];
  float* values = reinterpret_cast<float*>(memory);
  long long* keys = reinterpret_cast<long long*>(memory + 64 * sizeof(float));
  int i = blockIdx.x * 64 + threadIdx.x;
  values[threadIdx.x] = x[i];
  keys[threadIdx.x] = 63 - threadIdx.x;
  __syncthreads();
  y[i] = values[keys[threadIdx.x]];
}
