// ---
// about = "min, max, and, or, xor, exch, inc, dec, 64 bits and a loop of compare and swap."
// entry = "kernel"
// grid = [2]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "y"
// dtype = "i32"
// elements = 8
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "wide"
// dtype = "i64"
// elements = 1
// role = "inout"
// fill = { step = 0 }
// [[arguments]]
// name = "z"
// dtype = "f32"
// elements = 1
// role = "inout"
// fill = { step = 0.0 }
// [expected]
// buffer = "z"
// sum = 127.0
// relative = 1e-06
// ---
extern "C" __global__ void kernel(int* y, unsigned long long* wide, float* z) {
  int i = blockIdx.x * 64 + threadIdx.x;
  atomicMin(y + 0, -i);
  atomicMax(y + 1, i);
  atomicOr(y + 2, 1 << (i % 31));
  atomicXor(y + 3, i);
  atomicAnd(y + 4, i);
  atomicInc(reinterpret_cast<unsigned*>(y + 5), 1000u);
  atomicSub(y + 6, 2);
  atomicAdd(wide, 1ull << 33);
  int seen = *reinterpret_cast<volatile int*>(z), expected;
  do {
    expected = seen;
    seen = atomicCAS(reinterpret_cast<int*>(z), expected, __float_as_int(fmaxf(__int_as_float(expected), float(i))));
  } while (seen != expected);
}
