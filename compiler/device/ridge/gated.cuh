// Gating: activation(gate) * up, element by element.
#pragma once

#include <ridge/access.cuh>
#include <ridge/launch.cuh>

namespace ridge {

// One block's part of a row of kCols elements; blockIdx.x counts the parts of all rows, each kThreads
// threads with kUnroll accesses of kVectorBytes. All loads of a thread are issued before the first is
// used. `activation` takes and answers single precision.
template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Pdl kPdl, typename Activation>
__device__ __forceinline__ void gate_part_of_row(const T* gate, const T* up, T* y, const Activation& activation) {
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
            for (int i = 0; i < V::kElements; ++i) values[i] *= activation(gate_values[i]);
            V::pack(values).store(target + at);
        }
    }
}

}  // namespace ridge
