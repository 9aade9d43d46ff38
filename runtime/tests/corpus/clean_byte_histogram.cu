// ---
// about = "Sub-word shared counters owned by one thread each."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "u8"
// elements = 256
// role = "input"
// fill = { step = 1, modulo = 8 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 8
// role = "output"
// [expected]
// buffer = "y"
// sum = 256.0
// at = { 0 = 32.0 }
// relative = 1e-06
// ---
extern "C" __global__ void kernel(const unsigned char* x, unsigned* y) {
  __shared__ unsigned short counts[8][32];
  for (int bin = 0; bin < 8; ++bin) counts[bin][threadIdx.x] = 0;
  for (int i = threadIdx.x; i < 256; i += 32) counts[x[i]][threadIdx.x] += 1;
  __syncwarp();
  if (threadIdx.x < 8) {
    unsigned sum = 0;
    for (int lane = 0; lane < 32; ++lane) sum += counts[threadIdx.x][lane];
    y[threadIdx.x] = sum;
  }
}
