// How a kernel is launched: residency, and overlap with the kernels before and after it.
#pragma once

namespace ridge {

// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has read its inputs. What the kernel before writes is read only
// after `wait_for_kernel_before`. Never allow the next kernel where `off`: it halves the rate at
// which blocks start.
enum class Pdl { off, early, late };

// Below 9.0 kernels do not overlap, and these do nothing.
__device__ __forceinline__ void wait_for_kernel_before() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void allow_next_kernel() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Whether a block has the shape that a candidate gives it, or one by the length of a row, which is sound for
// rows of any length and therefore what kernels begin with.
enum class Shape { given, fitting };
__host__ __device__ constexpr int shaped(Shape shape, int given, int fitting) {
    return shape == Shape::given ? given : fitting;
}

// Blocks of `threads` that hold `resident_warps` warps of a multiprocessor, for `__launch_bounds__`;
// 0 leaves the number to the compiler.
__host__ __device__ constexpr int blocks_of(int resident_warps, int threads) {
    return resident_warps == 0 ? 1 : resident_warps * 32 / threads;
}

}  // namespace ridge
