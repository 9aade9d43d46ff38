// Queries and keys of a token, taken head by head in halves that are rotated against each other.
#pragma once

#include <ridge/access.cuh>

namespace ridge {

// How kThreads threads share a token's heads, the queries' before the keys'. An access of the low half
// of a head and its twin, half a head further, are a pair; thread `t` has the pairs t, t + kThreads, ….
// Half a head is kLanes accesses of kWidth bytes.
template <typename T, int kQueryHeads, int kKeyHeads, int kDim, int kThreads, int kVectorBytes> struct TokenLayout {
    static constexpr int kHalf = kDim / 2;
    static constexpr int kWidth = access_width(kVectorBytes, kHalf * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    static constexpr int kLanes = kHalf / V::kElements;
    static constexpr int kPairs = (kQueryHeads + kKeyHeads) * kLanes;
    static constexpr int kTurns = (kPairs + kThreads - 1) / kThreads;
    // Whether a thread has the same place of half a head in all its turns.
    static constexpr bool kSamePlace = kThreads % kLanes == 0;

    static __device__ __forceinline__ int pair(int turn) { return turn * kThreads + threadIdx.x; }
    static __device__ __forceinline__ bool exists(int turn) {
        return (turn + 1 < kTurns || kPairs % kThreads == 0) || pair(turn) < kPairs;
    }
    // The same for all threads in most turns, which the compiler is told.
    static __device__ __forceinline__ bool is_query(int turn) {
        if ((turn + 1) * kThreads <= kQueryHeads * kLanes) return true;
        if (turn * kThreads >= kQueryHeads * kLanes) return false;
        return pair(turn) < kQueryHeads * kLanes;
    }
    // The pair's low access, counted from the first token's of its tensor.
    static __device__ __forceinline__ size_t at(int token, int turn) {
        const int own = is_query(turn) ? pair(turn) : pair(turn) - kQueryHeads * kLanes;
        const int heads = is_query(turn) ? kQueryHeads : kKeyHeads;
        return (size_t(token) * heads + own / kLanes) * (2 * kLanes) + own % kLanes;
    }
};

// Both halves of a pair, turned by the angles.
template <int kCount>
__device__ __forceinline__ void rotate(float* low, float* high, const float* cosines, const float* sines) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
        const float rotated = fmaf(low[i], cosines[i], -high[i] * sines[i]);
        high[i] = fmaf(high[i], cosines[i], low[i] * sines[i]);
        low[i] = rotated;
    }
}

}  // namespace ridge
