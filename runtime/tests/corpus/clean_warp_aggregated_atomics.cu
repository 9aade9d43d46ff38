// ---
// about = "One atomic a warp hands out places to the lanes that want one."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 128
// role = "input"
// fill = { step = 1, modulo = 3 }
// [[arguments]]
// name = "count"
// dtype = "u32"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 128
// role = "inout"
// fill = { step = 0 }
// [expected]
// buffer = "y"
// sum = 127.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, unsigned* count, int* y) {
  int i = blockIdx.x * 64 + threadIdx.x, lane = threadIdx.x % 32;
  if (x[i] != 0) {
    unsigned active = __activemask();
    int leader = __ffs(active) - 1;
    unsigned base = 0;
    if (lane == leader) base = atomicAdd(count, __popc(active));
    base = __shfl_sync(active, base, leader);
    y[base + __popc(active & ((1u << lane) - 1))] = x[i];
  }
}
