// ---
// about = "Unaligned words are put together from bytes."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "u8"
// elements = 256
// role = "input"
// fill = { step = 1 }
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 32
// role = "output"
// ---
extern "C" __global__ void kernel(const unsigned char* x, unsigned* y) {
  const unsigned char* at = x + threadIdx.x * 5 + 1;
  y[threadIdx.x] = at[0] | at[1] << 8 | at[2] << 16;
}
