// ---
// about = "The largest element and its place, pairs through shuffles."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 320
// role = "input"
// fill = { step = 7.0, modulo = 53 }
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 2
// role = "output"
// [[arguments]]
// name = "n"
// scalar = "i32"
// value = 320
// [expected]
// buffer = "y"
// sum = 416.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const float* x, int* y, int n) {
  float best = -1.0f;
  int place = -1;
  for (int i = threadIdx.x; i < n; i += 32)
    if (x[i] > best) best = x[i], place = i;
  for (int offset = 16; offset; offset /= 2) {
    float other = __shfl_down_sync(0xffffffffu, best, offset);
    int where = __shfl_down_sync(0xffffffffu, place, offset);
    if (other > best || (other == best && where < place)) best = other, place = where;
  }
  if (threadIdx.x == 0) y[0] = int(best), y[1] = place;
}
