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
template <int kLanes> __device__ __forceinline__ float sum_over_lanes(float value) { return over_lanes<Sum, kLanes>(value); }
template <int kLanes> __device__ __forceinline__ float max_over_lanes(float value) { return over_lanes<Max, kLanes>(value); }

// Waits for the other threads of the row, and for no others. Rows of more than a warp use the barriers
// from 1 on, of which there are 15; `__syncthreads` is 0.
template <int kThreads> __device__ __forceinline__ void wait_for_row() {
    if constexpr (kThreads <= 32) {
        __syncwarp();
    } else {
        asm volatile("bar.sync %0, %1;" ::"r"(int(threadIdx.y) + 1), "n"(kThreads) : "memory");
    }
}

// Slots of `partials` that a block of kThreads in all needs for kValues values.
__host__ __device__ constexpr int n_partials(int threads, int values) { return (threads / 32 + 1) * values; }

// Reduces kValues values at once over the kThreads threads of a row, kThreads a power of two.
//
// `partials` has `n_partials` slots in shared memory. It must not be written again before every
// thread of the row has passed another barrier: kernels that reduce in a loop take turns with two.
template <typename Op, int kThreads, int kValues>
__device__ __forceinline__ void over_row(float (&values)[kValues], float* partials) {
#pragma unroll
    for (int i = 0; i < kValues; ++i) values[i] = over_lanes<Op, kThreads < 32 ? kThreads : 32>(values[i]);
    if constexpr (kThreads > 32) {
        constexpr int kWarps = kThreads / 32;
        float* mine = partials + threadIdx.y * (kWarps * kValues);
        if (threadIdx.x % 32 == 0) {
#pragma unroll
            for (int i = 0; i < kValues; ++i) mine[i * kWarps + threadIdx.x / 32] = values[i];
        }
        wait_for_row<kThreads>();
#pragma unroll
        for (int i = 0; i < kValues; ++i) {
            if constexpr (kWarps > 4) {
                values[i] = over_lanes<Op, kWarps>(mine[i * kWarps + threadIdx.x % kWarps]);
            } else {
                values[i] = mine[i * kWarps];
#pragma unroll
                for (int warp = 1; warp < kWarps; ++warp) values[i] = Op::of(values[i], mine[i * kWarps + warp]);
            }
        }
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
