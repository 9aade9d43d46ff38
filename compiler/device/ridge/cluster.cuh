// Clusters: neighbouring blocks along x that are resident together, reach each other's shared memory and
// have a row between them.
//
// Blocks give their warps' partial results to each other and meet at one barrier, which is all that a
// reduction costs beyond its shuffles. Only what has been received is read behind it, from the block's own
// shared memory, so that a block may end while others still work. With one block nothing is left of the
// cluster, and devices below 9.0, which have none, compile that.
#pragma once

#include <ridge/reduce.cuh>

namespace ridge {

// A launch with clusters of kBlocks blocks along x. Every thread of every block calls each of these.
template <int kBlocks> struct Cluster {
    static_assert(kBlocks == 1 || kBlocks == 2 || kBlocks == 4 || kBlocks == 8, "what every device with clusters has");

    // Which of the cluster's blocks this is.
    static __device__ __forceinline__ int rank() {
        unsigned rank = 0;
#if __CUDA_ARCH__ >= 900
        if constexpr (kBlocks > 1) asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
        return int(rank);
    }

    // Says that this block has started, which a block must have before others write to its shared memory.
    // Once and early, so that the wait for the others costs nothing.
    static __device__ __forceinline__ void announce() {
#if __CUDA_ARCH__ >= 900
        if constexpr (kBlocks > 1) asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
#endif
    }
    // Waits until all blocks have started; once, between `announce` and the first `exchange`.
    static __device__ __forceinline__ void wait_for_all_to_start() {
#if __CUDA_ARCH__ >= 900
        if constexpr (kBlocks > 1) asm volatile("barrier.cluster.wait.aligned;" ::: "memory");
#endif
    }

    // Gives what a warp has found, the same in all its lanes, to every block of the cluster: it is then in slot
    // rank * kWarps + warp of `slots`. Each exchange of a kernel has slots of its own.
    template <int kWarps, typename Part>
    static __device__ __forceinline__ void exchange(const Part& part, Part (&slots)[kBlocks * kWarps]) {
        const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
        if constexpr (kBlocks == 1) {
            if (lane == 0) slots[warp] = part;
            __syncthreads();
        } else {
            if (lane < kBlocks) store_to(lane, &slots[rank() * kWarps + warp], part);
#if __CUDA_ARCH__ >= 900
            asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
            asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
        }
    }

private:
    // Stores to the place of block `block` that `own` is of this block.
    template <typename Part> static __device__ __forceinline__ void store_to(int block, Part* own, const Part& part) {
        static_assert(sizeof(Part) % 4 == 0, "whole words");
        union {
            Part part;
            unsigned words[sizeof(Part) / 4];
        } bits = {part};
#if __CUDA_ARCH__ >= 900
        const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(own));
        unsigned remote;
        asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(address), "r"(block));
#pragma unroll
        for (int i = 0; i < int(sizeof(Part) / 4); ++i) {
            asm volatile("st.shared::cluster.u32 [%0], %1;" ::"r"(remote + 4 * i), "r"(bits.words[i]) : "memory");
        }
#endif
    }
};

// Merges what all threads of a cluster have found, blocks of kThreads threads along x; every thread gets it.
// A `Part` has `over_lanes<kLanes>(part)` and `merged(a, b)`. There is one exchange in it.
template <int kBlocks, int kThreads, typename Part>
__device__ __forceinline__ Part over_cluster(Part part, Part (&slots)[kBlocks * (kThreads / 32)]) {
    constexpr int kWarps = kThreads / 32, kSlots = kBlocks * kWarps;
    part = over_lanes<32>(part);
    if constexpr (kSlots == 1) return part;
    Cluster<kBlocks>::template exchange<kWarps>(part, slots);
    Part found = slots[threadIdx.x % (kSlots < 32 ? kSlots : 32)];
#pragma unroll
    for (int first = 32; first < kSlots; first += 32) found = merged(found, slots[first + threadIdx.x % 32]);
    return over_lanes<(kSlots < 32 ? kSlots : 32)>(found);
}

}  // namespace ridge
