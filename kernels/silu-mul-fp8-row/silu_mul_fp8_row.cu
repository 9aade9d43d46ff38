// SiLU gating quantised to fp8 (e4m3) with one scale a row: gate * sigmoid(gate) * up. One pass over device
// memory.
//
// A group of kThreadsPerRow threads owns a row, and kRowsPerBlock groups share a block; or a cluster of
// kBlocksPerRow blocks has equal parts of a row. The products are kept, in single precision, where `kHold` says
// until the largest of the row is known.
#include <ridge/access.cuh>
#include <ridge/cluster.cuh>
#include <ridge/function.cuh>
#include <ridge/launch.cuh>
#include <ridge/number.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// Where a row's products wait for its scale: the threads' registers, shared memory, or nowhere: then they are
// computed again from what is read again, as they are where registers cannot hold them.
enum class Hold { registers, shared, reread };

constexpr float kLargest = Format<__nv_fp8_e4m3>::kLargest;
constexpr float kLeastMaximum = 1e-10f;  // a row of zeros has a scale, too

// gate * sigmoid(gate) * up, in place of `gate`.
template <typename V> __device__ __forceinline__ void gated(const V& gate, const V& up, float* products) {
    float factors[V::kValues];
    gate.unpack(products);
    up.unpack(factors);
#pragma unroll
    for (int i = 0; i < V::kElements; ++i) products[i] = silu(products[i]) * factors[i];
}

// Whether a block's threads have the registers for so many products each beside 32 others: of the 65536 of a
// multiprocessor, and no more than 64.
__host__ __device__ constexpr bool registers_hold(int products, int threads) {
    return products <= 64 && threads * (32 + products) <= 65536;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kBlocksPerRow, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes,
          Hold kWanted, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock, blocks_of(kResidentWarps, kThreadsPerRow* kRowsPerBlock))
    silu_mul_fp8_row(const T* gate, const T* up, __nv_fp8_e4m3* __restrict__ y, float* __restrict__ scale, int rows) {
    using L = RowLayout<T, kCols / kBlocksPerRow, kThreadsPerRow, kVectorBytes>;
    using V = typename L::V;
    using W = typename L::W;
    static_assert(kBlocksPerRow == 1 || (kRowsPerBlock == 1 && kCols % kBlocksPerRow == 0), "parts are equal");
    using Quantised = Vector<__nv_fp8_e4m3, L::kElements>;
    constexpr int kValues = L::kValues > Quantised::kValues ? L::kValues : Quantised::kValues;
    constexpr bool kInRegisters = kWanted == Hold::registers &&
                                  registers_hold(L::kVectors * L::kElements, kThreadsPerRow * kRowsPerBlock);
    constexpr Hold kHold = kWanted == Hold::registers && !kInRegisters ? Hold::reread : kWanted;
    // What is not held in registers is taken in turns of a few vectors, for short code.
    constexpr int kUnroll = !kInRegisters && L::kVectors > 4 ? 4 : L::kVectors;

    extern __shared__ __align__(16) float products_shared[];

    const int rank = Cluster<kBlocksPerRow>::rank();
    const int row = blockIdx.x / kBlocksPerRow * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    // Of the block's part of it.
    const size_t row_start = (size_t(row) * kBlocksPerRow + rank) * L::kRowVectors;
    const W* gates = reinterpret_cast<const W*>(gate) + row_start;
    const W* ups = reinterpret_cast<const W*>(up) + row_start;
    // An element of each of a thread's vectors behind that of the next thread: no two lanes meet in a bank.
    float* mine = products_shared + (threadIdx.y * L::kVectors * L::kElements) * kThreadsPerRow + threadIdx.x;

    Cluster<kBlocksPerRow>::announce();
    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    // All loads of a thread that holds its row are issued before the first product.
    V held_gates[kInRegisters ? L::kVectors : 1], held_ups[kInRegisters ? L::kVectors : 1];
    if constexpr (kInRegisters) {
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            if (row_exists && L::exists(v, threadIdx.x)) {
                held_gates[v] = V::load(gates + L::at(v, threadIdx.x));
                held_ups[v] = V::load(ups + L::at(v, threadIdx.x));
            }
        }
    }
    if constexpr (kPdl == Pdl::late && kInRegisters) allow_next_kernel();

    float products[kInRegisters ? L::kVectors : 1][kValues] = {};
    float largest = 0.0f;
#pragma unroll kUnroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (row_exists && L::exists(v, threadIdx.x)) {
            const int at = L::at(v, threadIdx.x);
            float(&values)[kValues] = products[kInRegisters ? v : 0];
            if constexpr (kInRegisters) gated(held_gates[v], held_ups[v], values);
            if constexpr (!kInRegisters) gated(V::load(gates + at), V::load(ups + at), values);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                largest = fmaxf(largest, fabsf(values[i]));
                if constexpr (kHold == Hold::shared) mine[(v * L::kElements + i) * kThreadsPerRow] = values[i];
            }
        }
    }
    if constexpr (kBlocksPerRow == 1) {
        __shared__ float partials[n_partials(kThreadsPerRow * kRowsPerBlock, 1)];
        largest = max_over_row<kThreadsPerRow>(largest, partials);
    } else {
        __shared__ Single<Max> partials[kBlocksPerRow * (kThreadsPerRow / 32)];
        Cluster<kBlocksPerRow>::wait_for_all_to_start();
        largest = over_cluster<kBlocksPerRow, kThreadsPerRow>(Single<Max>{largest}, partials).value;
    }
    const float maximum = fmaxf(largest, kLeastMaximum);
    const float quantum = kLargest / maximum;

    if constexpr (kPdl == Pdl::late && !kInRegisters) allow_next_kernel();
    if (row_exists && rank == 0 && threadIdx.x == 0) scale[row] = maximum * (1.0f / kLargest);

    auto* target = reinterpret_cast<typename Quantised::W*>(y) + row_start;
#pragma unroll kUnroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (row_exists && L::exists(v, threadIdx.x)) {
            const int at = L::at(v, threadIdx.x);
            float(&values)[kValues] = products[kInRegisters ? v : 0];
            if constexpr (kHold == Hold::reread) gated(V::load(gates + at), V::load(ups + at), values);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                if constexpr (kHold == Hold::shared) values[i] = mine[(v * L::kElements + i) * kThreadsPerRow];
                values[i] *= quantum;
            }
            Quantised::pack(values).store(target + at);
        }
    }
}
