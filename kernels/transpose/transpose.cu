// Rows become columns, by tiles in shared memory.
//
// Two rows of a 16-bit type are packed into words as they are read, so that shared memory holds a tile already
// transposed, a 32-bit word an access, and gives it back 16 bytes at a time. The groups of four words of a row
// are exchanged by a number that the row gives, so that neither way two lanes of a warp meet in a bank.
#include <ridge/access.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// Which tiles neighbouring blocks have: those of the same rows, or of the same columns, of the input.
enum class Along { rows, cols };

// A tile of kRowGroups words down by kVectors accesses across, and how threads and shared memory share it.
template <typename T, int kRowGroupsOf, int kVectors> struct Tile {
    static constexpr int kPack = 4 / int(sizeof(T));     // rows that a word holds
    static constexpr int kElements = 16 / int(sizeof(T));  // of an access
    static constexpr int kRowGroups = kRowGroupsOf;
    static constexpr int kRows = kRowGroups * kPack;
    static constexpr int kCols = kVectors * kElements;
    static constexpr int kChunks = kRowGroups / 4;       // accesses of a row of the transposed tile
    // Tasks of a thread's loading and storing halves.
    static constexpr int kLoads = kRowGroups * kVectors;
    static constexpr int kStores = kCols * kChunks;
    static_assert(kRowGroups % 32 == 0 && kVectors % 8 == 0, "whole banks and whole warps");

    // The word that holds row group `group` of the first of access `vector`'s columns; the next column's is
    // kRowGroups words on.
    static __device__ __forceinline__ unsigned word(unsigned vector, unsigned group) {
        return vector * (kElements * kRowGroups) + ((group / 4) ^ (vector % 8)) * 4 + group % 4;
    }
    // A warp loads four row groups by eight accesses.
    static __device__ __forceinline__ unsigned group_of(unsigned task) { return task % 4 + task / (4 * kVectors) * 4; }
    static __device__ __forceinline__ unsigned vector_of(unsigned task) { return task / 4 % kVectors; }
};

// Sixteen bytes, or as many of their elements as there are; the others mean nothing.
template <typename T, bool kAligned> __device__ __forceinline__ uint4 load(const T* from, int available) {
    using Element = typename Word<int(sizeof(T))>::Type;
    union {
        uint4 whole;
        Element elements[16 / sizeof(T)];
    } bits;
    if constexpr (kAligned) {
        if (available > 0) bits.whole = *reinterpret_cast<const uint4*>(from);
    } else {
        bits.whole = make_uint4(0, 0, 0, 0);
#pragma unroll
        for (int i = 0; i < 16 / int(sizeof(T)); ++i) {
            if (i < available) bits.elements[i] = reinterpret_cast<const Element*>(from)[i];
        }
    }
    return bits.whole;
}

template <typename T> __device__ __forceinline__ void store_elements(T* to, const uint4& value, int available) {
    using Element = typename Word<int(sizeof(T))>::Type;
    union {
        uint4 whole;
        Element elements[16 / sizeof(T)];
    } bits;
    bits.whole = value;
#pragma unroll
    for (int i = 0; i < 16 / int(sizeof(T)); ++i) {
        if (i < available) reinterpret_cast<Element*>(to)[i] = bits.elements[i];
    }
}

// The words of one access to each of a word's rows, a word a column.
template <int kPack> __device__ __forceinline__ void pack(const uint4* rows, unsigned* columns) {
    const unsigned* first = reinterpret_cast<const unsigned*>(rows);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if constexpr (kPack == 1) {
            columns[i] = first[i];
        } else {
            columns[2 * i] = __byte_perm(first[i], first[4 + i], 0x5410);
            columns[2 * i + 1] = __byte_perm(first[i], first[4 + i], 0x7632);
        }
    }
}

// Writes a transposed tile, whose first column and row are the output's `col_start` and `row_start`.
template <typename A, typename T, int kCols, int kThreads, bool kAligned>
__device__ __forceinline__ void store_tile(const unsigned* tile, T* y, int col_start, int row_start, int rows) {
    constexpr bool kWhole = kCols % A::kCols == 0;
#pragma unroll 4
    for (unsigned task = threadIdx.x; task < A::kStores; task += kThreads) {
        const unsigned chunk = task % A::kChunks, col = task / A::kChunks;
        const int row = row_start + int(chunk) * A::kElements;
        if (kWhole || col_start + int(col) < kCols) {
            const unsigned from = A::word(col / A::kElements, chunk * 4) + col % A::kElements * A::kRowGroups;
            const uint4 value = *reinterpret_cast<const uint4*>(tile + from);
            T* to = y + static_cast<size_t>(col_start + col) * rows + row;
            if (!kAligned) store_elements(to, value, rows - row);
            if (kAligned && row < rows) *reinterpret_cast<uint4*>(to) = value;
        }
    }
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kRowGroups, int kVectors, Along kAlong, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    transpose(const T* x, T* __restrict__ y, int rows) {
    using A = Tile<T, kRowGroups, kVectors>;
    constexpr bool kAligned = kCols % A::kElements == 0;
    constexpr bool kWhole = kCols % A::kCols == 0 && A::kLoads % kThreads == 0;
    constexpr int kTurns = (A::kLoads + kThreads - 1) / kThreads;
    __shared__ __align__(16) unsigned tile[A::kCols * kRowGroups];

    const int col_start = (kAlong == Along::rows ? blockIdx.x : blockIdx.y) * A::kCols;
    const int row_start = (kAlong == Along::rows ? blockIdx.y : blockIdx.x) * A::kRows;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    // All loads of a thread are issued before the first is used.
    uint4 held[kTurns][A::kPack];
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
        const unsigned task = turn * kThreads + threadIdx.x;
        const int col = col_start + int(A::vector_of(task)) * A::kElements;
        const int row = row_start + int(A::group_of(task)) * A::kPack;
        const bool exists = kWhole || (col < kCols && task < A::kLoads);
        const T* from = x + static_cast<size_t>(row) * kCols + col;
#pragma unroll
        for (int i = 0; i < A::kPack; ++i) {
            held[turn][i] = load<T, kAligned>(from + i * kCols, exists && row + i < rows ? kCols - col : 0);
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int turn = 0; turn < kTurns; ++turn) {
        const unsigned task = turn * kThreads + threadIdx.x;
        if (A::kLoads % kThreads == 0 || task < A::kLoads) {
            unsigned columns[A::kElements];
            pack<A::kPack>(held[turn], columns);
            unsigned* to = tile + A::word(A::vector_of(task), A::group_of(task));
#pragma unroll
            for (int i = 0; i < A::kElements; ++i) to[i * kRowGroups] = columns[i];
        }
    }
    __syncthreads();

    if (rows % A::kElements == 0) {
        store_tile<A, T, kCols, kThreads, true>(tile, y, col_start, row_start, rows);
    } else {
        store_tile<A, T, kCols, kThreads, false>(tile, y, col_start, row_start, rows);
    }
}
