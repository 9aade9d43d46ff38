// GELU gating by the tanh approximation, as Gemma has it: gelu(gate) * up.
//
// All loads of a thread are issued before the first is used. A block has part of one row.
#include <ridge/access.cuh>
#include <ridge/function.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// x (1 + tanh(inner)) / 2 with inner = sqrt(2 / pi) (x + 0.044715 x^3), written as x sigmoid(2 inner),
// which does not cancel where tanh is near -1.
__device__ __forceinline__ float gelu(float value) {
    const float twice = 1.5957691216057308f * value * fmaf(0.044715f * value, value, 1.0f);
    return value * sigmoid(twice);
}


// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    gelu_tanh_mul(const T* gate, const T* up, T* __restrict__ y) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kRowVectors = kCols / V::kElements;
    // Rows that allow only narrower accesses take more of them, so that the grid stays the same.
    constexpr int kVectors = kUnroll * (kVectorBytes / kWidth);
    constexpr int kBlockVectors = kThreads * kVectors;
    constexpr int kBlocksPerRow = (kRowVectors + kBlockVectors - 1) / kBlockVectors;
    constexpr bool kRagged = kRowVectors % kBlockVectors != 0;

    const size_t row_start = size_t(blockIdx.x / kBlocksPerRow) * kRowVectors;
    const W* gates = reinterpret_cast<const W*>(gate) + row_start;
    const W* ups = reinterpret_cast<const W*>(up) + row_start;
    W* target = reinterpret_cast<W*>(y) + row_start;
    const int first = blockIdx.x % kBlocksPerRow * kBlockVectors + threadIdx.x;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    V g[kVectors], u[kVectors];
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            g[v] = V::load(gates + at);
            u[v] = V::load(ups + at);
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            float gate_values[V::kValues], values[V::kValues];
            g[v].unpack(gate_values);
            u[v].unpack(values);
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) values[i] *= gelu(gate_values[i]);
            V::pack(values).store(target + at);
        }
    }
}
