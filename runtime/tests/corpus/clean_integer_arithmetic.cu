// ---
// about = "Division, remainder, wide products, carries, funnel shifts, byte permutes and dot products."
// entry = "kernel"
// grid = [1]
// block = [64]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "u32"
// elements = 64
// role = "input"
// fill = { step = 40503, start = 9 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 64
// role = "output"
// ---
extern "C" __global__ void kernel(const unsigned* x, unsigned* y) {
  unsigned a = x[threadIdx.x], b = x[63 - threadIdx.x] | 1u;
  unsigned long long wide = (unsigned long long)a * b + ((unsigned long long)b << 32 | a) / (a | 1u);
  int s = (int)a - (int)b;
  unsigned result = a / b + a % b + __umulhi(a, b) + (unsigned)(wide >> 17) + __funnelshift_l(a, b, 5) + __byte_perm(a, b, 0x5140);
  result += __dp4a((int)a, (int)b, s) + s / 3 + s % 3 + (s >> 2) + __mulhi(s, 12345) + __sad(s, 7, 1u) + __vadd4(a, b) + __usad(a, b, 2u);
  result ^= (unsigned)(wide % 1000003u) + __brev(a) + __clz(b) + __popcll(wide) + min(a, b) + max(s, 3) + abs(s);
  y[threadIdx.x] = result;
}
