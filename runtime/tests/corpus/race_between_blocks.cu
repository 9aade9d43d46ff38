// ---
// about = "Blocks overlap by 32 elements and store different values."
// entry = "kernel"
// grid = [3]
// block = [128]
// expect = "race"
// buffer = "y"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 320
// role = "output"
// ---
extern "C" __global__ void kernel(float* y) {
  y[blockIdx.x * 96 + threadIdx.x] = float(blockIdx.x);  // BUG
}
