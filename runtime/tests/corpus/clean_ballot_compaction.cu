// ---
// about = "Elements that pass a test move together, by ballot and population count."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "i32"
// elements = 32
// role = "input"
// fill = { step = 7, modulo = 11 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 32
// role = "output"
// [expected]
// buffer = "y"
// sum = 1085.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const int* x, int* y) {
  unsigned lane = threadIdx.x;
  int value = x[lane];
  unsigned keep = __ballot_sync(0xffffffffu, value > 30), below = (1u << lane) - 1;
  int kept = __popc(keep);
  int place = value > 30 ? __popc(keep & below) : kept + __popc(~keep & below);
  y[place] = value;
}
