// ---
// about = "Calls that are not inlined, a recursion and a table of functions."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 1, modulo = 6 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 297.0
// relative = 1e-06
// ---
__device__ __noinline__ int twice(int n) { return n * 2; }
__device__ __noinline__ int square(int n) { return n * n; }
__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
__device__ int (*table[2])(int) = {twice, square};

extern "C" __global__ void kernel(const int* x, int* y) {
  int value = x[threadIdx.x];
  y[threadIdx.x] = table[value % 2](value) + fibonacci(value);
}
