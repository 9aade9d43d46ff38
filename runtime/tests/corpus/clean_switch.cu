// ---
// about = "A switch of eight cases that lanes take apart."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 64
// role = "input"
// fill = { step = 1, modulo = 9 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  int value = x[threadIdx.x], result;
  switch (value) {
    case 0: result = 11; break;
    case 1: result = value * threadIdx.x; break;
    case 2: result = __clz(threadIdx.x); break;
    case 3: result = __popc(threadIdx.x * 77); break;
    case 4: result = __brev(threadIdx.x) >> 24; break;
    case 5: result = __ffs(threadIdx.x); break;
    case 6: result = threadIdx.x / 7; break;
    case 7: result = threadIdx.x % 5; break;
    default: result = -1;
  }
  y[threadIdx.x] = result;
}
