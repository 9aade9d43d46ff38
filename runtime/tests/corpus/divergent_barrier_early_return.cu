// ---
// about = "Threads past the end return before the barrier that the others wait at."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "divergent_barrier"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 100
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 100
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 100
// ---
extern "C" __global__ void kernel(const float* x, float* y, int n) {
  __shared__ float tile[128];
  int i = threadIdx.x;
  if (i >= n) return;
  tile[i] = x[i];
  __syncthreads();  // BUG
  y[i] = tile[n - 1 - i];
}
