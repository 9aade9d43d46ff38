// ---
// about = "A 64-bit atomic on a 4-byte boundary."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "misaligned"
// buffer = "y"
// [[arguments]]
// name = "y"
// dtype = "u32"
// elements = 16
// role = "inout"
// fill = { step = 0 }
// ---
extern "C" __global__ void kernel(unsigned* y) {
  atomicAdd(reinterpret_cast<unsigned long long*>(y + 1), 1ull);  // BUG
}
