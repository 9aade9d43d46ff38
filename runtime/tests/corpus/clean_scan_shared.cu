// ---
// about = "Inclusive scan after Hillis and Steele, two buffers."
// entry = "kernel"
// grid = [1]
// block = [256]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 256
// role = "input"
// fill = { step = 1, modulo = 5 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 65280.0
// at = { 255 = 510.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  __shared__ int sums[2][256];
  int i = threadIdx.x, from = 0;
  sums[0][i] = x[i];
  __syncthreads();
  for (int offset = 1; offset < 256; offset *= 2) {
    sums[1 - from][i] = sums[from][i] + (offset <= i ? sums[from][i - offset] : 0);
    from = 1 - from;
    __syncthreads();
  }
  y[i] = sums[from][i];
}
