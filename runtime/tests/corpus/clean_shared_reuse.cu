// ---
// about = "One shared array is used for three purposes, barriers between."
// entry = "kernel"
// grid = [1]
// block = [128]
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
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  __shared__ __align__(16) unsigned char memory[1024];
  float* floats = reinterpret_cast<float*>(memory);
  double* doubles = reinterpret_cast<double*>(memory);
  floats[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  float first = floats[threadIdx.x ^ 64];
  __syncthreads();
  doubles[threadIdx.x] = first * 2.0;
  __syncthreads();
  y[threadIdx.x] = float(doubles[127 - threadIdx.x]) + memory[0];
}
