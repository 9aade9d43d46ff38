// Sums over the first axis: what the parts of a backward pass found, added up and rounded once.
//
// A block has kThreads accesses side by side, each of kColumns columns, and kRowGroups groups of
// threads along y that each take every kRowGroups-th part. A group's loads of kUnroll parts are issued
// before the first is used. The groups' sums meet in shared memory, in a fixed order.
#include <ridge/access.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// The columns are few, so that latency decides, and not how many blocks are resident.
template <typename T, int kCols, int kThreads, int kRowGroups, int kVectorBytes, int kUnroll, Pdl kPdl>
__global__ void __launch_bounds__(kThreads* kRowGroups)
    sum_parts(const float* partial, T* __restrict__ total, int parts) {
    using V = Vector<float, kVectorBytes>;
    constexpr int kColumns = V::kElements;
    constexpr int kRowVectors = kCols / kColumns;
    static_assert(kCols % kColumns == 0, "a row is whole accesses");

    __shared__ float sums_shared[kRowGroups][kThreads * kColumns];

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const int at = blockIdx.x * kThreads + threadIdx.x;
    const typename V::W* source = reinterpret_cast<const typename V::W*>(partial) + at;
    float sums[kColumns] = {};
    if (at < kRowVectors) {
#pragma unroll 1
        for (int part = threadIdx.y; part < parts; part += kRowGroups * kUnroll) {
            V vectors[kUnroll];
#pragma unroll
            for (int u = 0; u < kUnroll; ++u) {
                const int row = part + u * kRowGroups;
                if (row < parts) vectors[u] = V::load(source + size_t(row) * kRowVectors);
            }
#pragma unroll
            for (int u = 0; u < kUnroll; ++u) {
                if (part + u * kRowGroups < parts) {
                    float values[V::kValues];
                    vectors[u].unpack(values);
#pragma unroll
                    for (int i = 0; i < kColumns; ++i) sums[i] += values[i];
                }
            }
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

#pragma unroll
    for (int i = 0; i < kColumns; ++i) sums_shared[threadIdx.y][i * kThreads + threadIdx.x] = sums[i];
    __syncthreads();
    // The block's columns, dealt out again among all its threads.
    for (int col = threadIdx.y * kThreads + threadIdx.x; col < kThreads * kColumns; col += kThreads * kRowGroups) {
        const int column = blockIdx.x * kThreads * kColumns + col;
        const int slot = col % kColumns * kThreads + col / kColumns;
        float sum = sums_shared[0][slot];
#pragma unroll
        for (int group = 1; group < kRowGroups; ++group) sum += sums_shared[group][slot];
        if (column < kCols) store_element(total + column, sum);
    }
}
