// Rows of a table by token.
//
// kRowsPerBlock groups of kThreadsPerRow threads share a block, each with kUnroll accesses of one row; longer
// rows take several blocks. All loads of a thread are issued before the first store. Tokens must be rows of
// the table.
#include <ridge/access.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, typename I, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kUnroll, int kVectorBytes,
          Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock, blocks_of(kResidentWarps, kThreadsPerRow* kRowsPerBlock))
    embedding_gather(const T* table, const I* token, T* __restrict__ y, int tokens) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kRowVectors = kCols / V::kElements;
    // Rows that allow only narrower accesses take more of them, so that the grid stays the same.
    constexpr int kVectors = kUnroll * (kVectorBytes / kWidth);
    constexpr int kPartVectors = kThreadsPerRow * kVectors;
    constexpr int kPartsPerRow = (kRowVectors + kPartVectors - 1) / kPartVectors;
    constexpr bool kRagged = kRowVectors % kPartVectors != 0;

    const int row = blockIdx.x / kPartsPerRow * kRowsPerBlock + threadIdx.y;
    const int first = blockIdx.x % kPartsPerRow * kPartVectors + threadIdx.x;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    if (kRowsPerBlock > 1 && row >= tokens) return;
    const W* source = reinterpret_cast<const W*>(table) + static_cast<size_t>(token[row]) * kRowVectors;
    W* target = reinterpret_cast<W*>(y) + static_cast<size_t>(row) * kRowVectors;

    V held[kVectors];
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreadsPerRow;
        if (!kRagged || at < kRowVectors) held[v] = V::load(source + at);
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreadsPerRow;
        if (!kRagged || at < kRowVectors) held[v].store(target + at);
    }
}
