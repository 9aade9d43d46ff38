// ---
// about = "An address that was never set."
// entry = "kernel"
// grid = [1]
// block = [32]
// expect = "out_of_bounds"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 32
// role = "output"
// [[arguments]]
// name = "address"
// scalar = "i64"
// value = 0
// ---
extern "C" __global__ void kernel(float* y, long long address) {
  const float* table = reinterpret_cast<const float*>(address);
  y[threadIdx.x] = table[threadIdx.x];  // BUG
}
