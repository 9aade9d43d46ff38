// ---
// about = "Rotary embedding with sine, cosine and powers in full precision: local memory for large arguments."
// entry = "kernel"
// grid = [4]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 0.25, modulo = 19 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 514.3543267318635
// relative = 0.0001
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  int k = threadIdx.x;
  const float* row = x + blockIdx.x * 64;
  float angle = blockIdx.x * powf(10000.0f, -k / 32.0f), sine, cosine;
  sincosf(angle, &sine, &cosine);
  float a = row[k], b = row[k + 32];
  y[blockIdx.x * 64 + k] = a * cosine - b * sine;
  y[blockIdx.x * 64 + k + 32] = b * cosine + a * sine;
}
