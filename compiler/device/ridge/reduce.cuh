// Reductions over the lanes of a warp and over the threads of a row. Every thread gets the result.
//
// A row belongs to kThreads threads along x; several rows of a block lie along y. Several values go
// through one barrier together.
#pragma once

namespace ridge {

struct Sum {
    static constexpr float kNothing = 0.0f;
    static __device__ __forceinline__ float of(float a, float b) { return a + b; }
};
struct Max {
    // Less than any finite value, and finite itself: what is multiplied by 0 stays a number.
    static constexpr float kNothing = -3.402823466e+38f;
    static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
};

// Over neighbouring lanes, kLanes a power of two. Every lane of the warp takes part.
template <typename Op, int kLanes> __device__ __forceinline__ float over_lanes(float value) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value = Op::of(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return value;
}
template <int kLanes> __device__ __forceinline__ float sum_over_lanes(float value) {
    return over_lanes<Sum, kLanes>(value);
}
template <int kLanes> __device__ __forceinline__ float max_over_lanes(float value) {
    return over_lanes<Max, kLanes>(value);
}

// Waits for the other threads of the row. Where a row has several warps, every thread of the block takes
// part: a named barrier for each row would take all 16 of the block, which limits how many blocks fit.
template <int kThreads> __device__ __forceinline__ void wait_for_row() {
    if constexpr (kThreads <= 32) {
        __syncwarp();
    } else {
        __syncthreads();
    }
}

// Slots of `partials` that a block of kThreads in all needs for kValues values.
__host__ __device__ constexpr int n_partials(int threads, int values) { return (threads / 32 + 1) * values; }

// Two values over kLanes lanes for little more than the price of one: half of the lanes take each.
// Lanes whose number has the bit kLanes / 2 return the second value's result, the others the first's.
template <typename Op, int kLanes> __device__ __forceinline__ float pair_over_lanes(float first, float second) {
    const bool has_second = (threadIdx.x & (kLanes / 2)) != 0;
    const float other = __shfl_xor_sync(0xffffffffu, has_second ? first : second, kLanes / 2);
    return over_lanes<Op, kLanes / 2>(Op::of(has_second ? second : first, other));
}

// Both values for every lane, from lanes that have one or the other by bit kBit of their number.
template <int kBit> __device__ __forceinline__ void share_pair(float own, float (&values)[2]) {
    const float other = __shfl_xor_sync(0xffffffffu, own, kBit);
    const bool has_second = (threadIdx.x & kBit) != 0;
    values[0] = has_second ? other : own;
    values[1] = has_second ? own : other;
}

// Reduces kValues values at once over the kThreads threads of a row, kThreads a power of two. Every thread
// of the block takes part, whether its row exists or not.
//
// `partials` has `n_partials` slots in shared memory. It must not be written again before every
// thread of the row has passed another barrier: kernels that reduce in a loop take turns with two.
template <typename Op, int kThreads, int kValues>
__device__ __forceinline__ void over_row(float (&values)[kValues], float* partials) {
    constexpr int kLanes = kThreads < 32 ? kThreads : 32;
    constexpr int kWarps = kThreads / 32;
    float* mine = partials + threadIdx.y * (kWarps * kValues);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if constexpr (kValues == 2) {
        const float own = pair_over_lanes<Op, kLanes>(values[0], values[1]);
        if constexpr (kThreads <= 32) {
            share_pair<kLanes / 2>(own, values);
            return;
        }
        if (lane % 16 == 0) mine[lane / 16 * kWarps + warp] = own;
    } else {
#pragma unroll
        for (int i = 0; i < kValues; ++i) values[i] = over_lanes<Op, kLanes>(values[i]);
        if constexpr (kThreads <= 32) return;
#pragma unroll
        for (int i = 0; i < kValues; ++i) {
            if (lane == 0) mine[i * kWarps + warp] = values[i];
        }
    }
    if constexpr (kThreads > 32) wait_for_row<kThreads>();
    if constexpr (kThreads > 32 && kValues == 2 && kWarps <= 16) {
        share_pair<kWarps>(over_lanes<Op, kWarps>(mine[lane % (2 * kWarps)]), values);
    } else if constexpr (kThreads > 32) {
#pragma unroll
        for (int i = 0; i < kValues; ++i) values[i] = over_lanes<Op, kWarps>(mine[i * kWarps + lane % kWarps]);
    }
}

// A value and the operation that it is reduced by.
template <typename Op> struct Single {
    float value;
};
template <int kLanes, typename Op> __device__ __forceinline__ Single<Op> over_lanes(Single<Op> own) {
    return {over_lanes<Op, kLanes>(own.value)};
}
template <typename Op> __device__ __forceinline__ Single<Op> merged(Single<Op> a, Single<Op> b) {
    return {Op::of(a.value, b.value)};
}

// Two values that are reduced together, each by its own operation.
template <typename First, typename Second> struct Pair {
    float first, second;
};
template <int kLanes, typename First, typename Second>
__device__ __forceinline__ Pair<First, Second> over_lanes(Pair<First, Second> pair) {
    return {over_lanes<First, kLanes>(pair.first), over_lanes<Second, kLanes>(pair.second)};
}
template <typename First, typename Second>
__device__ __forceinline__ Pair<First, Second> merged(Pair<First, Second> a, Pair<First, Second> b) {
    return {First::of(a.first, b.first), Second::of(a.second, b.second)};
}

// Reduces two values at once, each by its own operation; `partials` as above, for two values.
template <typename First, typename Second, int kThreads>
__device__ __forceinline__ void over_row(float& first, float& second, float* partials) {
    first = over_lanes<First, kThreads < 32 ? kThreads : 32>(first);
    second = over_lanes<Second, kThreads < 32 ? kThreads : 32>(second);
    if constexpr (kThreads > 32) {
        constexpr int kWarps = kThreads / 32;
        float* mine = partials + threadIdx.y * (kWarps * 2);
        if (threadIdx.x % 32 == 0) {
            mine[threadIdx.x / 32] = first;
            mine[kWarps + threadIdx.x / 32] = second;
        }
        wait_for_row<kThreads>();
        first = over_lanes<First, kWarps>(mine[threadIdx.x % kWarps]);
        second = over_lanes<Second, kWarps>(mine[kWarps + threadIdx.x % kWarps]);
    }
}

template <int kThreads> __device__ __forceinline__ float sum_over_row(float value, float* partials) {
    float values[1] = {value};
    over_row<Sum, kThreads>(values, partials);
    return values[0];
}
template <int kThreads> __device__ __forceinline__ float max_over_row(float value, float* partials) {
    float values[1] = {value};
    over_row<Max, kThreads>(values, partials);
    return values[0];
}

}  // namespace ridge
