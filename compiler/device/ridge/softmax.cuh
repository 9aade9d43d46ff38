// The maximum of a row and the sum of its exponentials relative to it, in one pass.
#pragma once

#include <ridge/function.cuh>

namespace ridge {

// The maximum of a part of the row, and the sum of exponentials relative to it.
struct SoftmaxPart {
    float maximum;
    float sum;
};

// Over neighbouring lanes, kLanes a power of two; every lane gets it.
template <int kLanes> __device__ __forceinline__ SoftmaxPart over_lanes(SoftmaxPart part) {
    const float own = part.maximum;
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        part.maximum = fmaxf(part.maximum, __shfl_xor_sync(0xffffffffu, part.maximum, offset));
    }
    part.sum *= exponential(own, subtrahend(part.maximum));
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) part.sum += __shfl_xor_sync(0xffffffffu, part.sum, offset);
    return part;
}

__device__ __forceinline__ SoftmaxPart merged(SoftmaxPart a, SoftmaxPart b) {
    const float maximum = fmaxf(a.maximum, b.maximum), subtracted = subtrahend(maximum);
    return {maximum, a.sum * exponential(a.maximum, subtracted) + b.sum * exponential(b.maximum, subtracted)};
}

// What a thread has seen of its row. Its sums are rescaled when a larger maximum comes.
struct OnlineSoftmax {
    float maximum = lowest();
    // Four, so that the additions of one access do not wait for each other.
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};

    // Adds kCount accesses; `exists(v)` says which are there.
    template <typename V, int kCount, typename Exists>
    __device__ __forceinline__ void add(const V (&vectors)[kCount], Exists exists) {
        float larger = maximum;
#pragma unroll
        for (int v = 0; v < kCount; ++v) {
            if (exists(v)) {
                float values[V::kValues];
                vectors[v].unpack(values);
#pragma unroll
                for (int i = 0; i < V::kElements; ++i) larger = fmaxf(larger, values[i]);
            }
        }
        const float subtracted = subtrahend(larger);
        const float factor = exponential(maximum, subtracted);
        maximum = larger;
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[i] *= factor;
#pragma unroll
        for (int v = 0; v < kCount; ++v) {
            if (exists(v)) {
                float values[V::kValues];
                vectors[v].unpack(values);
#pragma unroll
                for (int i = 0; i < V::kElements; ++i) sums[i % 4] += exponential(values[i], subtracted);
            }
        }
    }
    __device__ __forceinline__ SoftmaxPart part() const { return {maximum, (sums[0] + sums[1]) + (sums[2] + sums[3])}; }
};

}  // namespace ridge
