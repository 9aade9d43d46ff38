// SiLU gating: y = gate * sigmoid(gate) * up, element by element.
//
// A block covers kThreads * kUnroll * kVectorBytes bytes of one row. All loads of a thread are issued
// before the first is used.

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// 1 / (1 + e^-x) by the fast exponential and reciprocal, or with the division rounded as IEEE asks.
enum class Division { approximate, exact };

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

template <Division kDivision> __device__ __forceinline__ float silu(float value) {
    const float denominator = 1.0f + __expf(-value);
    if constexpr (kDivision == Division::exact) return __fdiv_rn(value, denominator);
    return __fdividef(value, denominator);
}

template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Division kDivision>
__global__ void __launch_bounds__(kThreads)
    silu_mul(const T* __restrict__ gate, const T* __restrict__ up, T* __restrict__ y) {
    constexpr int kWidth = AccessWidth<kVectorBytes, kCols * int(sizeof(T))>::value;
    constexpr int kElements = kWidth / int(sizeof(T));
    constexpr int kRowVectors = kCols / kElements;
    // Rows that allow only narrower accesses take more of them, so that the grid stays the same.
    constexpr int kVectors = kUnroll * (kVectorBytes / kWidth);
    constexpr int kBlockVectors = kThreads * kVectors;
    constexpr int kBlocksPerRow = (kRowVectors + kBlockVectors - 1) / kBlockVectors;
    constexpr bool kRagged = kRowVectors % kBlockVectors != 0;
    using W = typename Word<kWidth>::Type;
    union Vector {
        W word;
        T elements[kElements];
        __device__ Vector() {}
    };

    const size_t row_start = size_t(blockIdx.x / kBlocksPerRow) * kRowVectors;
    const W* gates = reinterpret_cast<const W*>(gate) + row_start;
    const W* ups = reinterpret_cast<const W*>(up) + row_start;
    W* target = reinterpret_cast<W*>(y) + row_start;
    const int first = blockIdx.x % kBlocksPerRow * kBlockVectors + threadIdx.x;

    Vector g[kVectors], u[kVectors];
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            g[v].word = gates[at];
            u[v].word = ups[at];
        }
    }
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            Vector out;
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                out.elements[i] = from_float<T>(silu<kDivision>(to_float(g[v].elements[i])) * to_float(u[v].elements[i]));
            }
            target[at] = out.word;
        }
    }
}
