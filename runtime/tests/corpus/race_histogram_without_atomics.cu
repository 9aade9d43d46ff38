// ---
// about = "Shared bins are incremented with plain loads and stores."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "race"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 128
// role = "input"
// fill = { step = 1, modulo = 16 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 16
// role = "output"
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  __shared__ int bins[16];
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  __syncthreads();
  int bin = x[threadIdx.x];
  bins[bin] = bins[bin] + 1;  // BUG
  __syncthreads();
  if (threadIdx.x < 16) y[threadIdx.x] = bins[threadIdx.x];
}
