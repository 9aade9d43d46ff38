// ---
// about = "One block of the cluster waits, and the other one goes on."
// entry = "kernel"
// grid = [4]
// block = [64]
// cluster = [2]
// programmatic = true
// expect = "early_access"
// buffer = "x"
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
// ---
#define WAIT() asm volatile("griddepcontrol.wait;" ::: "memory")
#define CLUSTER_BARRIER() asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory")

extern "C" __global__ void kernel(const float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (blockIdx.x % 2 == 1) WAIT();
  float value = *(const volatile float*)(x + i);  // BUG
  CLUSTER_BARRIER();
  y[i] = 2.0f * value;
}
