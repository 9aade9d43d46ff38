// Backward passes of row kernels whose weights' gradients are summed over a part of the rows.
//
// A group of threads, side by side along x, has a row of `x` and of `dy` at a time; several groups of
// a block lie along y and take turns. While a row is worked on, the group's next rows are on their
// way to shared memory. Each thread copies what it will use itself, so that no barrier guards a copy.
// The sums stay in registers until the part is done: no memory has to be zeroed before, and no sum
// depends on the order in which blocks run.
#pragma once

#include <ridge/access.cuh>
#include <ridge/async.cuh>

namespace ridge {

// A thread's share of one row of `x` and of `dy`. `L` is the row's `RowLayout`.
template <typename L> struct Share {
    typename L::V x[L::kVectors], dy[L::kVectors];

    __device__ __forceinline__ void load(const typename L::W* x_row, const typename L::W* dy_row) {
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            if (L::exists(v, threadIdx.x)) {
                x[v] = L::V::load(x_row + L::at(v, threadIdx.x));
                dy[v] = L::V::load(dy_row + L::at(v, threadIdx.x));
            }
        }
    }

    // Starts copying it into a slot, the row of `dy` behind that of `x`.
    static __device__ __forceinline__ void copy(typename L::W* slot, const typename L::W* x_row,
                                                const typename L::W* dy_row) {
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            const int at = L::at(v, threadIdx.x);
            if (L::exists(v, threadIdx.x)) {
                copy_async<L::kWidth>(slot + at, x_row + at);
                copy_async<L::kWidth>(slot + L::kRowVectors + at, dy_row + at);
            }
        }
    }
};

// Where the weights lie while the rows go by.
enum class Weights { registers, shared };

// The weights of a thread's columns. `shared` has a row for each group, where they lie there.
template <typename L, Weights kWeights> struct WeightShare {
    typename L::V held[kWeights == Weights::registers ? L::kVectors : 1];
    typename L::W* row;

    __device__ __forceinline__ WeightShare(const typename L::W* weights, typename L::W* shared)
        : row(shared + threadIdx.y * L::kRowVectors) {
#pragma unroll
        for (int v = 0; v < L::kVectors; ++v) {
            const int at = L::at(v, threadIdx.x);
            if (L::exists(v, threadIdx.x)) {
                if constexpr (kWeights == Weights::registers) held[v] = L::V::load(weights + at);
                if constexpr (kWeights == Weights::shared) copy_async_common<L::kWidth>(row + at, weights + at);
            }
        }
        if constexpr (kWeights == Weights::shared) wait_for_copies();
    }
    __device__ __forceinline__ void unpack(int v, float* values) const {
        if constexpr (kWeights == Weights::registers) held[v].unpack(values);
        if constexpr (kWeights == Weights::shared) L::V::load(row + L::at(v, threadIdx.x)).unpack(values);
    }
};

// Calls `body(share, turn, row, exists)` for each row of a part of `rows` rows that is the thread's
// group's, kRowGroups apart. All groups have as many turns, since lanes of several may share a warp: in
// the last, a row may not exist. `slots` has two rows for each stage of each group; with no stages
// rows go from global memory to registers.
template <typename L, int kRowGroups, int kStages, typename Body>
__device__ __forceinline__ void for_each_row(const typename L::W* x, const typename L::W* dy, int rows,
                                             typename L::W* slots, Body body) {
    constexpr int kSlots = kStages == 0 ? 1 : kStages;
    const auto slot_of = [&](int slot) { return slots + (slot * kRowGroups + threadIdx.y) * 2 * L::kRowVectors; };
    const auto start_row = [&](int row, int slot) {
        const size_t at = size_t(row) * L::kRowVectors;
        if (row < rows) Share<L>::copy(slot_of(slot), x + at, dy + at);
        end_group_of_copies();
    };
#pragma unroll
    for (int stage = 0; stage < kStages; ++stage) start_row(stage * kRowGroups + threadIdx.y, stage);

    int slot = 0;
    for (int turn = 0; turn * kRowGroups < rows; ++turn) {
        const int row = turn * kRowGroups + threadIdx.y;
        const bool exists = kRowGroups == 1 || row < rows;
        Share<L> share;
        if constexpr (kStages == 0) {
            const size_t at = size_t(row) * L::kRowVectors;
            if (exists) share.load(x + at, dy + at);
        } else {
            wait_for_groups_but<kSlots - 1>();
            if (exists) share.load(slot_of(slot), slot_of(slot) + L::kRowVectors);
            start_row(row + kStages * kRowGroups, slot);
            slot = slot + 1 == kSlots ? 0 : slot + 1;
        }
        body(share, turn, row, exists);
    }
}

// A thread's sums, at their columns of `row`.
template <typename L>
__device__ __forceinline__ void store_sums(const float (&sums)[L::kVectors][L::kElements], float* row) {
    using F = Vector<float, (L::kElements < 4 ? L::kElements : 4) * 4>;
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float* to = row + L::at(v, threadIdx.x) * L::kElements;
#pragma unroll
            for (int i = 0; i < L::kElements; i += F::kElements) {
                F::pack(sums[v] + i).store(reinterpret_cast<typename F::W*>(to + i));
            }
        }
    }
}

// The sums of the part: of all groups, through `scratch`, a row of single precision for each, where
// there is more than one. `scratch` may be where the rows were.
template <typename L, int kCols, int kThreads, int kRowGroups>
__device__ __forceinline__ void store_part(const float (&sums)[L::kVectors][L::kElements], float* scratch,
                                           float* part) {
    if constexpr (kRowGroups == 1) {
        store_sums<L>(sums, part);
    } else {
        __syncthreads();
        store_sums<L>(sums, scratch + threadIdx.y * kCols);
        __syncthreads();
        for (int col = threadIdx.y * (kThreads / kRowGroups) + threadIdx.x; col < kCols; col += kThreads) {
            float sum = scratch[col];
#pragma unroll
            for (int group = 1; group < kRowGroups; ++group) sum += scratch[group * kCols + col];
            part[col] = sum;
        }
    }
}

}  // namespace ridge
