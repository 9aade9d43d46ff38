// ---
// about = "A buffer that is declared read and written is scaled in place."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "inout"
// fill = { step = 1.0 }
// [expected]
// buffer = "y"
// sum = 4032.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(float* y) { y[threadIdx.x] *= 2.0f; }
