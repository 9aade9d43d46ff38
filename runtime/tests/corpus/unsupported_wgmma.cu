// ---
// about = "Warp-group matrix instructions."
// entry = "kernel"
// grid = [1]
// block = [128]
// expect = "unsupported"
// [[arguments]]
// name = "y"
// dtype = "f32"
// elements = 128
// role = "output"
// ---
extern "C" __global__ void kernel(float* y) {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");  // BUG
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");  // BUG
  y[threadIdx.x] = 1.0f;
}
