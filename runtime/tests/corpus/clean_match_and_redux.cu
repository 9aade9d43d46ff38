// ---
// about = "match.any, match.all and the redux family."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "u32"
// elements = 32
// role = "input"
// fill = { step = 1, modulo = 4 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 271456.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const unsigned* x, unsigned* y) {
  unsigned value = x[threadIdx.x];
  unsigned same = __match_any_sync(0xffffffffu, value);
  int all;
  unsigned whole = __match_all_sync(0xffffffffu, value, &all);
  unsigned sum = __reduce_add_sync(0xffffffffu, value), top = __reduce_max_sync(0xffffffffu, value);
  y[threadIdx.x] = __popc(same) * 1000 + whole + all + sum * 10 + top + __reduce_xor_sync(0xffffffffu, value) + __reduce_min_sync(0xffffffffu, value);
}
