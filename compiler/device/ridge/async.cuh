// Copies from global to shared memory that run while the thread goes on.
//
// A copy is there for the thread that started it once that thread has waited; for the others after
// a barrier behind the wait. No copy has a cache hint: NVRTC 13.0 turns `cp.async` with one into an
// illegal instruction where the shared address is the same for all lanes.
#pragma once

#include <ridge/access.cuh>

namespace ridge {

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies kBytes of what every block reads, such as weights, biases and tables: through the first-level cache,
// so that the blocks that a multiprocessor runs one after the other do not each fetch it from the second. Where
// the hardware has no copy of that width, at once and through a register.
template <int kBytes> __device__ __forceinline__ void copy_async_common(void* to, const void* from) {
    if constexpr (kBytes >= 4) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;"
                     :: "r"(shared_address(to)), "l"(from), "n"(kBytes) : "memory");
    } else {
        using W = typename Word<kBytes>::Type;
        *static_cast<W*>(to) = *static_cast<const W*>(from);
    }
}

// The same for what one block reads, such as a row: copies of 16 bytes pass by the first-level cache.
template <int kBytes> __device__ __forceinline__ void copy_async(void* to, const void* from) {
    if constexpr (kBytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
    } else {
        copy_async_common<kBytes>(to, from);
    }
}

// Makes one group of the copies started since the last call, none included.
__device__ __forceinline__ void end_group_of_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most kGroups of this thread's groups, the youngest, are not done.
template <int kGroups> __device__ __forceinline__ void wait_for_groups_but() {
    asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
}

__device__ __forceinline__ void wait_for_copies() {
    end_group_of_copies();
    wait_for_groups_but<0>();
}

}  // namespace ridge
