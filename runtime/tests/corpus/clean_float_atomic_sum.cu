// ---
// about = "Float atomics to one element: the order may change the last bits, the access is fine."
// entry = "kernel"
// grid = [4]
// block = [32]
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
// elements = 1
// role = "inout"
// fill = { step = 0.0 }
// [expected]
// buffer = "y"
// sum = 8128.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  atomicAdd(y, x[blockIdx.x * 32 + threadIdx.x]);
}
