// ---
// about = "One thread of the cluster waits for the kernel before, and the barrier of the cluster tells all."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
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
#define CLUSTER_BARRIER() asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (blockIdx.x % 2 == 1 && threadIdx.x == 3) WAIT();
  CLUSTER_BARRIER();
  y[i] = 2.0f * x[i];
}
