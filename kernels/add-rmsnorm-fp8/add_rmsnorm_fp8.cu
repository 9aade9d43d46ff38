// Residual addition, root-mean-square normalisation of the sum, and quantisation to fp8 (e4m3) with one
// scale a row: one pass over device memory. The sum, in the inputs' type, is an output too.
//
// A group of kThreadsPerRow threads owns a row, and kRowsPerBlock groups share a block; or a cluster of
// kBlocksPerRow blocks has equal parts of a row. The scale needs the largest |sum weight| of the row, which is
// found with the sum of squares, in one reduction.
#include <ridge/access.cuh>
#include <ridge/async.cuh>
#include <ridge/cluster.cuh>
#include <ridge/launch.cuh>
#include <ridge/number.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// Where the sum waits for its scale: the threads' registers, shared memory, or device memory, from where it
// is read again. What registers cannot hold is read again, too.
enum class Hold { registers, shared, reread };
// Where the weights are: read from device memory when they are needed, or fetched before the kernel before is
// done, into registers or, by asynchronous copies that the assembler cannot sink, into shared memory.
enum class Weights { reread, registers, shared };
// When the sum is stored: as soon as it is there, or with the quantised row.
enum class Store { early, late };

constexpr float kLargest = Format<__nv_fp8_e4m3>::kLargest;
constexpr float kLeastMaximum = 1e-10f;  // a row of zeros has a scale, too

// The weights that a thread needs, which it fetches itself, so that no barrier is needed for them.
template <typename L, Weights kWeights> struct Factors {
    const typename L::W* source;
    typename L::W* shared;
    typename L::V held[kWeights == Weights::registers ? L::kVectors : 1];

    __device__ __forceinline__ void fetch() {
        if constexpr (kWeights == Weights::reread) return;
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            const int at = L::at(v, threadIdx.x);
            if (L::exists(v, threadIdx.x)) {
                if constexpr (kWeights == Weights::registers) held[v] = L::V::load(source + at);
                if constexpr (kWeights == Weights::shared) copy_async_common<L::kWidth>(shared + at, source + at);
            }
        }
    }
    __device__ __forceinline__ void unpack(int v, float* values) const {
        const int at = L::at(v, threadIdx.x);
        if constexpr (kWeights == Weights::registers) held[v].unpack(values);
        if constexpr (kWeights == Weights::shared) L::V::load(shared + at).unpack(values);
        if constexpr (kWeights == Weights::reread) L::V::load(source + at).unpack(values);
    }
};

// Whether a block's threads have the registers for their share of a row of that length, twice while it is added
// to, beside 34 others: of the 65536 of a multiprocessor, and no more than 32.
__host__ __device__ constexpr bool registers_hold(int row_bytes, int threads_per_row, int rows_per_block) {
    const int words = (row_bytes + threads_per_row * 4 - 1) / (threads_per_row * 4);
    return words <= 32 && threads_per_row * rows_per_block * (34 + 2 * words) <= 65536;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kBlocksPerRow, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes,
          Hold kWanted, Weights kWeights, Store kStore, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock, blocks_of(kResidentWarps, kThreadsPerRow* kRowsPerBlock))
    add_rmsnorm_fp8(const T* x, const T* residual, const T* __restrict__ weight, T* __restrict__ sum,
                    __nv_fp8_e4m3* __restrict__ y, float* __restrict__ scale, int rows, float eps) {
    using L = RowLayout<T, kCols / kBlocksPerRow, kThreadsPerRow, kVectorBytes>;
    using V = typename L::V;
    using W = typename L::W;
    static_assert(kBlocksPerRow == 1 || (kRowsPerBlock == 1 && kCols % kBlocksPerRow == 0), "parts are equal");
    using Quantised = Vector<__nv_fp8_e4m3, L::kElements>;
    constexpr int kValues = L::kValues > Quantised::kValues ? L::kValues : Quantised::kValues;
    constexpr bool kInRegisters =
        kWanted == Hold::registers && registers_hold(L::kRowVectors * L::kWidth, kThreadsPerRow, kRowsPerBlock);
    constexpr Hold kHold = kWanted == Hold::registers && !kInRegisters ? Hold::reread : kWanted;
    // What is not held in registers is taken in turns of a few vectors, for short code.
    constexpr int kUnroll = !kInRegisters && L::kVectors > 4 ? 4 : L::kVectors;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    const int rank = Cluster<kBlocksPerRow>::rank();
    const int row = blockIdx.x / kBlocksPerRow * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    // Of the block's part of it.
    const size_t row_start = (size_t(row) * kBlocksPerRow + rank) * L::kRowVectors;
    const W* source = reinterpret_cast<const W*>(x) + row_start;
    const W* addend = reinterpret_cast<const W*>(residual) + row_start;
    W* total = reinterpret_cast<W*>(sum) + row_start;
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * L::kRowVectors;
    W* weights_shared = row_shared + (kHold == Hold::shared ? kRowsPerBlock * L::kRowVectors : 0);

    Cluster<kBlocksPerRow>::announce();
    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    Factors<L, kWeights> weights = {reinterpret_cast<const W*>(weight) + rank * L::kRowVectors, weights_shared, {}};
    weights.fetch();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    // All loads of a thread that holds its row are issued before the first addition.
    V held[kInRegisters ? L::kVectors : 1], added[kInRegisters ? L::kVectors : 1];
    if constexpr (kInRegisters) {
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            if (row_exists && L::exists(v, threadIdx.x)) {
                held[v] = V::load(source + L::at(v, threadIdx.x));
                added[v] = V::load(addend + L::at(v, threadIdx.x));
            }
        }
    }
    if constexpr (kWeights == Weights::shared) wait_for_copies();

    // Two of each, so that the elements of one vector do not wait for each other.
    float squares[2] = {0.0f, 0.0f}, largest[2] = {0.0f, 0.0f};
#pragma unroll kUnroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (row_exists && L::exists(v, threadIdx.x)) {
            const int at = L::at(v, threadIdx.x);
            float values[kValues], other[kValues];
            (kInRegisters ? held[v] : V::load(source + at)).unpack(values);
            (kInRegisters ? added[v] : V::load(addend + at)).unpack(other);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) values[i] += other[i];
            const V rounded = V::pack(values);
            rounded.unpack(values);
            weights.unpack(v, other);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                squares[i % 2] = fmaf(values[i], values[i], squares[i % 2]);
                largest[i % 2] = fmaxf(largest[i % 2], fabsf(values[i] * other[i]));
            }
            if constexpr (kInRegisters) held[v] = rounded;
            if constexpr (kHold == Hold::shared) rounded.store(row_shared + at);
            if constexpr (kStore == Store::early) rounded.store(total + at);
        }
    }
    float all = squares[0] + squares[1], most = fmaxf(largest[0], largest[1]);
    if constexpr (kBlocksPerRow == 1) {
        __shared__ float partials[n_partials(kThreadsPerRow * kRowsPerBlock, 2)];
        over_row<Sum, Max, kThreadsPerRow>(all, most, partials);
    } else {
        __shared__ Pair<Sum, Max> partials[kBlocksPerRow * (kThreadsPerRow / 32)];
        Cluster<kBlocksPerRow>::wait_for_all_to_start();
        const auto found = over_cluster<kBlocksPerRow, kThreadsPerRow>(Pair<Sum, Max>{all, most}, partials);
        all = found.first;
        most = found.second;
    }
    const float factor = rsqrtf(all * (1.0f / kCols) + eps);
    // What is no number stays so: a sum beyond the type's range leaves a row without a scale.
    const float found = most * factor;
    const float maximum = found < kLeastMaximum ? kLeastMaximum : found;
    const float quantum = factor * (kLargest / maximum);

    if constexpr (kPdl == Pdl::late) allow_next_kernel();
    if (row_exists && rank == 0 && threadIdx.x == 0) scale[row] = maximum * (1.0f / kLargest);

    auto* target = reinterpret_cast<typename Quantised::W*>(y) + row_start;
#pragma unroll kUnroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (row_exists && L::exists(v, threadIdx.x)) {
            const int at = L::at(v, threadIdx.x);
            V vector;
            if constexpr (kInRegisters) vector = held[v];
            if constexpr (kHold == Hold::shared) vector = V::load(row_shared + at);
            if constexpr (kHold == Hold::reread) vector = V::load(total + at);
            if constexpr (kStore == Store::late) vector.store(total + at);
            float values[kValues] = {}, factors[kValues];
            vector.unpack(values);
            weights.unpack(v, factors);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) values[i] *= factors[i] * quantum;
            Quantised::pack(values).store(target + at);
        }
    }
}
