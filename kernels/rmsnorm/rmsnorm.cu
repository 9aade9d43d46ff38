// Root-mean-square normalisation over the last axis: one pass over device memory.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. The row is read
// once, kept where `kHold` says until its mean square is known, and written once. Loads and stores
// are plain on purpose: cache hints make a kernel's time depend on what ran before it.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// Where the row waits for its mean square.
enum class Hold { registers, shared, reread };
// When the weights are fetched: after the reduction, before it into registers, or before it into
// shared memory by an asynchronous copy, which the assembler cannot sink below the reduction.
enum class Weights { late, early, async };

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

// Sums `value` over the threads of a row; every thread gets the sum. `partials` has one slot for
// each warp of the block.
template <int kThreadsPerRow, int kRowsPerBlock>
__device__ __forceinline__ float sum_over_row(float value, float* partials) {
    constexpr int kLanes = kThreadsPerRow < 32 ? kThreadsPerRow : 32;
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    if constexpr (kThreadsPerRow > 32) {
        constexpr int kWarps = kThreadsPerRow / 32;
        float* mine = partials + threadIdx.y * kWarps;
        if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
        __syncthreads();
        value = 0.0f;
#pragma unroll
        for (int warp = 0; warp < kWarps; ++warp) value += mine[warp];
    }
    return value;
}

template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Weights kWeights, int kBlocks>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock, kBlocks)
    rmsnorm(const T* __restrict__ x, const T* __restrict__ weight, T* __restrict__ y, int rows, float eps) {
    constexpr int kWidth = AccessWidth<kVectorBytes, kCols * int(sizeof(T))>::value;
    constexpr int kElements = kWidth / int(sizeof(T));
    constexpr int kRowVectors = kCols / kElements;
    constexpr int kVectors = (kRowVectors + kThreadsPerRow - 1) / kThreadsPerRow;
    constexpr bool kRagged = kRowVectors % kThreadsPerRow != 0;
    using W = typename Word<kWidth>::Type;
    union Vector {
        W word;
        T elements[kElements];
        __device__ Vector() {}
    };

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float partials[kThreadsPerRow * kRowsPerBlock / 32 + 1];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const W* source = reinterpret_cast<const W*>(x) + size_t(row) * kRowVectors;
    const W* weights = reinterpret_cast<const W*>(weight);
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kRowVectors;
    W* weights_shared = reinterpret_cast<W*>(dynamic_shared) + (kHold == Hold::shared ? kRowsPerBlock * kRowVectors : 0);

    // Each thread copies the weights it will use itself, so that no barrier is needed for them.
    if constexpr (kWeights == Weights::async) {
        weights_shared += threadIdx.y * kRowVectors;
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (!kRagged || at < kRowVectors) copy_async<kWidth>(weights_shared + at, weights + at);
        }
    }

    Vector held[kHold == Hold::registers ? kVectors : 1];
    Vector held_weights[kWeights == Weights::early ? kVectors : 1];
    if constexpr (kHold == Hold::shared) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && (!kRagged || at < kRowVectors)) copy_async<kWidth>(row_shared + at, source + at);
        }
    }
    if constexpr (kHold == Hold::registers) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && (!kRagged || at < kRowVectors)) held[v].word = source[at];
        }
    }
    if constexpr (kWeights == Weights::early) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (!kRagged || at < kRowVectors) held_weights[v].word = weights[at];
        }
    }
    if constexpr (kHold == Hold::shared || kWeights == Weights::async) wait_for_copies();

    // Four sums, so that the additions of one vector do not wait for each other.
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            Vector vector;
            if constexpr (kHold == Hold::registers) vector.word = held[v].word;
            if constexpr (kHold == Hold::shared) vector.word = row_shared[at];
            if constexpr (kHold == Hold::reread) vector.word = source[at];
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                const float value = to_float(vector.elements[i]);
                sums[i % 4] = fmaf(value, value, sums[i % 4]);
            }
        }
    }
    const float sum = sum_over_row<kThreadsPerRow, kRowsPerBlock>((sums[0] + sums[1]) + (sums[2] + sums[3]), partials);
    const float scale = rsqrtf(sum * (1.0f / kCols) + eps);

    W* target = reinterpret_cast<W*>(y) + size_t(row) * kRowVectors;
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            Vector vector, factor;
            if constexpr (kHold == Hold::registers) vector.word = held[v].word;
            if constexpr (kHold == Hold::shared) vector.word = row_shared[at];
            if constexpr (kHold == Hold::reread) vector.word = source[at];
            if constexpr (kWeights == Weights::early) factor.word = held_weights[v].word;
            if constexpr (kWeights == Weights::async) factor.word = weights_shared[at];
            if constexpr (kWeights == Weights::late) factor.word = weights[at];
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                vector.elements[i] = from_float<T>(to_float(vector.elements[i]) * scale * to_float(factor.elements[i]));
            }
            target[at] = vector.word;
        }
    }
}
