// ---
// about = "The first warp waits and arrives at a barrier at which the second one waits."
// entry = "kernel"
// grid = [4]
// block = [64]
// programmatic = true
// expect = "clean"
// [[arguments]]
// name = "x"
// dtype = "f32"
// elements = 256
// role = "input"
// fill = { step = 1.0 }
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 256
// role = "output"
// [expected]
// buffer = "y"
// sum = 65280.0
// relative = 1e-06
// ---
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (threadIdx.x < 32) {
    WAIT();
    asm volatile("bar.arrive 1, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 1, 64;" ::: "memory");
  }
  y[i] = 2.0f * x[i];
}
