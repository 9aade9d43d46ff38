// Backward pass of root-mean-square normalisation: the gradient of the input, and of the weight as
// one sum for each part of the rows.
//
// A block goes through the rows of its part. A group of kThreadsPerRow threads has a row at a time;
// kRowGroups groups take turns. While a row is worked on, the next kStages of the group's are on
// their way to shared memory; each thread copies what it will use itself, so that no barrier guards
// the copies. The weight's gradient stays in registers until the end: no memory has to be zeroed
// before, no sum depends on the order in which blocks run.
//
// The inverse root mean square is found again from the row, which is there anyway; one reduction
// brings both sums. So the forward pass has nothing to keep but its input.
#include <ridge/access.cuh>
#include <ridge/async.cuh>
#include <ridge/launch.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// Where the weights lie while the rows go by.
enum class Weights { registers, shared };

// A thread's share of one row of `x` and of `dy`.
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
};

// Starts copying a thread's share of a row into its slot, and the row of `dy` behind that of `x`.
template <typename L>
__device__ __forceinline__ void copy_share(typename L::W* slot, const typename L::W* x_row, const typename L::W* dy_row) {
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        const int at = L::at(v, threadIdx.x);
        if (L::exists(v, threadIdx.x)) {
            copy_async<L::kWidth>(slot + at, x_row + at);
            copy_async<L::kWidth>(slot + L::kRowVectors + at, dy_row + at);
        }
    }
}

// Sums of x^2 and of x dy weight over the thread's share.
template <typename L, typename Factors>
__device__ __forceinline__ void add_products(const Share<L>& share, Factors weights_of, float (&sums)[2]) {
    float squares[2] = {0.0f, 0.0f}, products[2] = {0.0f, 0.0f};
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float x[L::kValues], dy[L::kValues], weights[L::kValues];
            share.x[v].unpack(x);
            share.dy[v].unpack(dy);
            weights_of(v, weights);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                squares[i % 2] = fmaf(x[i], x[i], squares[i % 2]);
                products[i % 2] = fmaf(x[i], dy[i] * weights[i], products[i % 2]);
            }
        }
    }
    sums[0] = squares[0] + squares[1];
    sums[1] = products[0] + products[1];
}

// Writes the thread's share of dx = scale dy weight - x slope, and adds dy x scale to the gradient of
// the weight.
template <typename L, typename Factors>
__device__ __forceinline__ void finish_row(const Share<L>& share, Factors weights_of, float scale, float slope,
                                           typename L::W* dx_row, float (&dweight)[L::kVectors][L::kElements]) {
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float x[L::kValues], dy[L::kValues], weights[L::kValues];
            share.x[v].unpack(x);
            share.dy[v].unpack(dy);
            weights_of(v, weights);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                const float scaled = dy[i] * scale;
                dweight[v][i] = fmaf(scaled, x[i], dweight[v][i]);
                x[i] = fmaf(-x[i], slope, scaled * weights[i]);
            }
            L::V::pack(x).store(dx_row + L::at(v, threadIdx.x));
        }
    }
}

// A thread's sums, at their columns of `row`.
template <typename L> __device__ __forceinline__ void store_sums(const float (&sums)[L::kVectors][L::kElements], float* row) {
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

// The sums of the part: of all groups, through `scratch` where there is more than one.
template <typename L, int kCols, int kThreads, int kRowGroups>
__device__ __forceinline__ void store_part(const float (&sums)[L::kVectors][L::kElements], float* scratch, float* part) {
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

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
// With no stages rows go from global memory to registers.
template <typename T, int kCols, int kThreadsPerRow, int kRowGroups, int kVectorBytes, int kStages, Weights kWeights,
          Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowGroups, blocks_of(kResidentWarps, kThreadsPerRow* kRowGroups))
    rmsnorm_backward(const T* dy, const T* x, const T* __restrict__ weight, T* __restrict__ dx,
                     float* __restrict__ dweight_partial, int rows_per_part, float eps) {
    using L = RowLayout<T, kCols, kThreadsPerRow, kVectorBytes>;
    using V = typename L::V;
    using W = typename L::W;
    constexpr int kThreads = kThreadsPerRow * kRowGroups;
    constexpr int kSlots = kStages == 0 ? 1 : kStages;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float partials[2][n_partials(kThreads, 2)];

    const size_t first = size_t(blockIdx.x) * rows_per_part;
    const auto row_of = [&](const T* tensor, int row) {
        return reinterpret_cast<const W*>(tensor) + (first + row) * L::kRowVectors;
    };
    W* weights_shared = reinterpret_cast<W*>(dynamic_shared);
    W* slots = weights_shared + (kWeights == Weights::shared ? kRowGroups * L::kRowVectors : 0);
    weights_shared += threadIdx.y * L::kRowVectors;
    const auto slot_of = [&](int slot) { return slots + (slot * kRowGroups + threadIdx.y) * 2 * L::kRowVectors; };

    if constexpr (kPdl == Pdl::early) allow_next_kernel();

    V held_weights[kWeights == Weights::registers ? L::kVectors : 1];
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        const W* from = reinterpret_cast<const W*>(weight) + L::at(v, threadIdx.x);
        if (L::exists(v, threadIdx.x)) {
            if constexpr (kWeights == Weights::registers) held_weights[v] = V::load(from);
            if constexpr (kWeights == Weights::shared) copy_async<L::kWidth>(weights_shared + L::at(v, threadIdx.x), from);
        }
    }
    if constexpr (kWeights == Weights::shared) wait_for_copies();
    const auto weights_of = [&](int v, float* values) {
        if constexpr (kWeights == Weights::registers) held_weights[v].unpack(values);
        if constexpr (kWeights == Weights::shared) V::load(weights_shared + L::at(v, threadIdx.x)).unpack(values);
    };

    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const auto start_row = [&](int row, int slot) {
        if (row < rows_per_part) copy_share<L>(slot_of(slot), row_of(x, row), row_of(dy, row));
        end_group_of_copies();
    };
#pragma unroll
    for (int stage = 0; stage < kStages; ++stage) start_row(stage * kRowGroups + threadIdx.y, stage);

    float dweight[L::kVectors][L::kElements] = {};
    int slot = 0;
    // The groups have as many turns as each other, since lanes of several may share a warp.
    for (int turn = 0; turn * kRowGroups < rows_per_part; ++turn) {
        const int row = turn * kRowGroups + threadIdx.y;
        const bool row_exists = kRowGroups == 1 || row < rows_per_part;
        Share<L> share;
        if constexpr (kStages == 0) {
            if (row_exists) share.load(row_of(x, row), row_of(dy, row));
        } else {
            wait_for_groups_but<kSlots - 1>();
            if (row_exists) share.load(slot_of(slot), slot_of(slot) + L::kRowVectors);
            start_row(row + kStages * kRowGroups, slot);
            slot = slot + 1 == kSlots ? 0 : slot + 1;
        }
        float sums[2] = {0.0f, 0.0f};
        if (row_exists) add_products(share, weights_of, sums);
        over_row<Sum, kThreadsPerRow>(sums, partials[turn % 2]);
        const float scale = rsqrtf(fmaf(sums[0], 1.0f / kCols, eps));
        // Of the mean of normed dy weight, by the scale once more: dx is scale (dy weight - normed mean).
        const float slope = sums[1] * (1.0f / kCols) * scale * scale * scale;
        if (row_exists) finish_row(share, weights_of, scale, slope, reinterpret_cast<W*>(dx) + (first + row) * L::kRowVectors, dweight);
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    float* scratch = reinterpret_cast<float*>(dynamic_shared);
    store_part<L, kCols, kThreads, kRowGroups>(dweight, scratch, dweight_partial + size_t(blockIdx.x) * kCols);
}
