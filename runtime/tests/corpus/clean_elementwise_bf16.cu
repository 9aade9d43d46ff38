// ---
// about = "SiLU and multiply, eight bf16 in 16 bytes."
// entry = "kernel"
// grid = [2]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "gate"
// dtype = "bf16"
// elements = 512
// role = "input"
// fill = { start = -4.0, step = 0.25, modulo = 33 }
// [[arguments]]
// name = "up"
// dtype = "bf16"
// elements = 512
// role = "input"
// fill = { start = 1.0, step = 0.0 }
// [[arguments]]
// name = "y"
// dtype = "bf16"
// elements = 512
// role = "output"
// [expected]
// buffer = "y"
// sum = 417.978515625
// relative = 0.02
// ---
#include <cuda_bf16.h>

struct alignas(16) Eight { __nv_bfloat162 pairs[4]; };

extern "C" __global__ void kernel(const Eight* __restrict__ gate, const Eight* __restrict__ up, Eight* __restrict__ y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Eight g = gate[i], u = up[i], out;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    float2 a = __bfloat1622float2(g.pairs[k]), b = __bfloat1622float2(u.pairs[k]);
    out.pairs[k] = __floats2bfloat162_rn(a.x / (1.0f + __expf(-a.x)) * b.x, a.y / (1.0f + __expf(-a.y)) * b.y);
  }
  y[i] = out;
}
