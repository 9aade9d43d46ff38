// ---
// about = "Constant memory, device globals, and a table of pointers into them."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 560.0
// relative = 1e-06
// ---
__constant__ float weights[4] = {1.0f, 2.0f, 3.0f, 4.0f};
__device__ float offsets[2] = {10.0f, 20.0f};
__constant__ float* const rows[2] = {&offsets[1], &offsets[0]};

extern "C" __global__ void kernel(float* y) { y[threadIdx.x] = weights[threadIdx.x % 4] + *rows[threadIdx.x % 2]; }
