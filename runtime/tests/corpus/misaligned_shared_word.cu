// ---
// about = "A word is read from a byte offset that is no multiple of four."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "misaligned"
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
  __shared__ __align__(16) unsigned char bytes[256];
  for (int i = threadIdx.x; i < 256; i += 32) bytes[i] = x[i];
  __syncthreads();
  y[threadIdx.x] = *reinterpret_cast<const unsigned*>(bytes + threadIdx.x * 5);  // BUG
}
