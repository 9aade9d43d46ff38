// ---
// about = "exp, log, tanh, erf, pow, sqrt, cbrt and division in full and in approximate precision."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 64
// role = "input"
// fill = { start = 0.1, step = 0.1 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const float* x, float* y) {
  float v = x[threadIdx.x];
  y[threadIdx.x] = expf(v) + logf(v) + tanhf(v) + erff(v) + powf(v, 1.5f) + sqrtf(v) + cbrtf(v) + 1.0f / v + __fdividef(v, 3.0f) + __logf(v) + exp2f(v) + log1pf(v) + fmodf(v, 0.7f) + __frsqrt_rn(v) + __saturatef(v) + copysignf(v, -1.0f);
}
