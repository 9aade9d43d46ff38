// Softmax over the last axis: one pass over device memory where the row is held.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. The maximum is
// subtracted before the exponential, so that no finite input overflows.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// Where the row waits for its maximum and sum.
enum class Hold { registers, shared, reread };
// Maximum first and sum after it (two barriers), or both in one sweep that rescales the sum
// whenever the maximum grows (one barrier).
enum class Algorithm { two_sweeps, online };

constexpr float kLog2e = 1.4426950408889634f;

__device__ __forceinline__ float to_float(float value) { return value; }
__device__ __forceinline__ float to_float(__half value) { return __half2float(value); }
__device__ __forceinline__ float to_float(__nv_bfloat16 value) { return __bfloat162float(value); }
template <typename T> __device__ __forceinline__ T from_float(float value);
template <> __device__ __forceinline__ float from_float<float>(float value) { return value; }
template <> __device__ __forceinline__ __half from_float<__half>(float value) { return __float2half_rn(value); }
template <> __device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float value) { return __float2bfloat16_rn(value); }

// The machine word that moves kBytes at once.
template <int kBytes> struct Word;
template <> struct Word<16> { using Type = uint4; };
template <> struct Word<8> { using Type = uint2; };
template <> struct Word<4> { using Type = unsigned int; };
template <> struct Word<2> { using Type = unsigned short; };

// The widest access, at most kBytes, that keeps every row of kRowBytes aligned.
template <int kBytes, int kRowBytes> struct AccessWidth {
    static constexpr int value = kRowBytes % kBytes == 0 ? kBytes : AccessWidth<kBytes / 2, kRowBytes>::value;
};
template <int kRowBytes> struct AccessWidth<1, kRowBytes> { static constexpr int value = 1; };

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies kBytes from global to shared memory without passing through registers, where the
// hardware has a copy of that width.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* to, const void* from) {
    if constexpr (kBytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
    } else if constexpr (kBytes >= 4) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared_address(to)), "l"(from), "n"(kBytes) : "memory");
    } else {
        using W = typename Word<kBytes>::Type;
        *static_cast<W*>(to) = *static_cast<const W*>(from);
    }
}

__device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
}

// The maximum of a part of the row and the sum of 2^((x - maximum) * log2 e) over it.
struct Partial {
    float maximum;
    float sum;
};

// Minus infinity stands for an empty part: its sum is 0 and must not meet inf - inf.
__device__ __forceinline__ float rescale(float from, float to) {
    return from == to ? 1.0f : exp2f((from - to) * kLog2e);
}

__device__ __forceinline__ Partial merge(Partial a, Partial b) {
    const float maximum = fmaxf(a.maximum, b.maximum);
    return {maximum, a.sum * rescale(a.maximum, maximum) + b.sum * rescale(b.maximum, maximum)};
}

template <int kThreadsPerRow> __device__ __forceinline__ float warp_maximum(float value) {
    constexpr int kLanes = kThreadsPerRow < 32 ? kThreadsPerRow : 32;
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value = fmaxf(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return value;
}

template <int kThreadsPerRow> __device__ __forceinline__ float warp_sum(float value) {
    constexpr int kLanes = kThreadsPerRow < 32 ? kThreadsPerRow : 32;
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
}

template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Algorithm kAlgorithm, int kBlocks>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock, kBlocks)
    softmax(const T* __restrict__ x, T* __restrict__ y, int rows) {
    constexpr int kWidth = AccessWidth<kVectorBytes, kCols * int(sizeof(T))>::value;
    constexpr int kElements = kWidth / int(sizeof(T));
    constexpr int kRowVectors = kCols / kElements;
    constexpr int kVectors = (kRowVectors + kThreadsPerRow - 1) / kThreadsPerRow;
    constexpr bool kRagged = kRowVectors % kThreadsPerRow != 0;
    constexpr int kWarps = kThreadsPerRow < 32 ? 1 : kThreadsPerRow / 32;
    const float kLowest = __int_as_float(0xff800000);  // minus infinity
    using W = typename Word<kWidth>::Type;
    union Vector {
        W word;
        T elements[kElements];
        __device__ Vector() {}
    };

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float maxima[kRowsPerBlock][kWarps];
    __shared__ float sums[kRowsPerBlock][kWarps];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const W* source = reinterpret_cast<const W*>(x) + size_t(row) * kRowVectors;
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kRowVectors;

    Vector held[kHold == Hold::registers ? kVectors : 1];
    const auto fetch = [&](int v, int at) {
        Vector vector;
        if constexpr (kHold == Hold::registers) vector.word = held[v].word;
        if constexpr (kHold == Hold::shared) vector.word = row_shared[at];
        if constexpr (kHold == Hold::reread) vector.word = source[at];
        return vector;
    };

    if constexpr (kHold != Hold::reread) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && (!kRagged || at < kRowVectors)) {
                if constexpr (kHold == Hold::registers) held[v].word = source[at];
                if constexpr (kHold == Hold::shared) copy_async<kWidth>(row_shared + at, source + at);
            }
        }
        if constexpr (kHold == Hold::shared) wait_for_copies();
    }

    Partial row_partial{kLowest, 0.0f};
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            const Vector vector = fetch(v, at);
            float maximum = row_partial.maximum;
#pragma unroll
            for (int i = 0; i < kElements; ++i) maximum = fmaxf(maximum, to_float(vector.elements[i]));
            if constexpr (kAlgorithm == Algorithm::online) {
                float sum = row_partial.sum * rescale(row_partial.maximum, maximum);
#pragma unroll
                for (int i = 0; i < kElements; ++i) {
                    sum += rescale(to_float(vector.elements[i]), maximum);
                }
                row_partial.sum = sum;
            }
            row_partial.maximum = maximum;
        }
    }

    const float warp_max = warp_maximum<kThreadsPerRow>(row_partial.maximum);
    if constexpr (kAlgorithm == Algorithm::online) {
        const float warp_total = warp_sum<kThreadsPerRow>(row_partial.sum * rescale(row_partial.maximum, warp_max));
        row_partial = {warp_max, warp_total};
    } else {
        row_partial.maximum = warp_max;
    }
    if constexpr (kThreadsPerRow > 32) {
        if (threadIdx.x % 32 == 0) {
            maxima[threadIdx.y][threadIdx.x / 32] = row_partial.maximum;
            if constexpr (kAlgorithm == Algorithm::online) sums[threadIdx.y][threadIdx.x / 32] = row_partial.sum;
        }
        __syncthreads();
        row_partial = {kLowest, 0.0f};
#pragma unroll
        for (int warp = 0; warp < kWarps; ++warp) {
            if constexpr (kAlgorithm == Algorithm::online) {
                row_partial = merge(row_partial, {maxima[threadIdx.y][warp], sums[threadIdx.y][warp]});
            } else {
                row_partial.maximum = fmaxf(row_partial.maximum, maxima[threadIdx.y][warp]);
            }
        }
    }
    if constexpr (kAlgorithm == Algorithm::two_sweeps) {
        float sum = 0.0f;
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && (!kRagged || at < kRowVectors)) {
                const Vector vector = fetch(v, at);
#pragma unroll
                for (int i = 0; i < kElements; ++i) {
                    sum += exp2f((to_float(vector.elements[i]) - row_partial.maximum) * kLog2e);
                }
            }
        }
        sum = warp_sum<kThreadsPerRow>(sum);
        if constexpr (kThreadsPerRow > 32) {
            if (threadIdx.x % 32 == 0) sums[threadIdx.y][threadIdx.x / 32] = sum;
            __syncthreads();
            sum = 0.0f;
#pragma unroll
            for (int warp = 0; warp < kWarps; ++warp) sum += sums[threadIdx.y][warp];
        }
        row_partial.sum = sum;
    }

    const float scale = 1.0f / row_partial.sum;
    W* target = reinterpret_cast<W*>(y) + size_t(row) * kRowVectors;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            Vector vector = fetch(v, at);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                const float value = exp2f((to_float(vector.elements[i]) - row_partial.maximum) * kLog2e);
                vector.elements[i] = from_float<T>(value * scale);
            }
            target[at] = vector.word;
        }
    }
}
