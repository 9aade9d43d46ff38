// Backward pass of root-mean-square normalisation: the gradient of the input, and of the weight as
// one sum for each part of the rows, a part a block.
//
// A group of kThreadsPerRow threads has a row at a time; kRowGroups groups take turns, and kStages of a
// group's next rows are on their way. The inverse root mean square is found again from the row, which
// is there anyway: one reduction brings both sums, and the forward pass has nothing to keep but its
// input.
#include <ridge/backward.cuh>
#include <ridge/launch.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// Sums of x^2 and of x dy weight over the thread's share.
template <typename L, typename Factors>
__device__ __forceinline__ void add_products(const Share<L>& share, const Factors& weights, float (&sums)[2]) {
    float squares[2] = {0.0f, 0.0f}, products[2] = {0.0f, 0.0f};
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float x[L::kValues], dy[L::kValues], factors[L::kValues];
            share.x[v].unpack(x);
            share.dy[v].unpack(dy);
            weights.unpack(v, factors);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                squares[i % 2] = fmaf(x[i], x[i], squares[i % 2]);
                products[i % 2] = fmaf(x[i], dy[i] * factors[i], products[i % 2]);
            }
        }
    }
    sums[0] = squares[0] + squares[1];
    sums[1] = products[0] + products[1];
}

// Writes the thread's share of dx = scale dy weight - x slope, and adds dy x scale to the gradient of
// the weight.
template <typename L, typename Factors>
__device__ __forceinline__ void finish_row(const Share<L>& share, const Factors& weights, float scale, float slope,
                                           typename L::W* dx_row, float (&dweight)[L::kVectors][L::kElements]) {
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float x[L::kValues], dy[L::kValues], factors[L::kValues];
            share.x[v].unpack(x);
            share.dy[v].unpack(dy);
            weights.unpack(v, factors);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) {
                const float scaled = dy[i] * scale;
                dweight[v][i] = fmaf(scaled, x[i], dweight[v][i]);
                x[i] = fmaf(-x[i], slope, scaled * factors[i]);
            }
            L::V::pack(x).store(dx_row + L::at(v, threadIdx.x));
        }
    }
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowGroups, int kVectorBytes, int kStages, Weights kWeights,
          Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowGroups, blocks_of(kResidentWarps, kThreadsPerRow* kRowGroups))
    rmsnorm_backward(const T* dy, const T* x, const T* __restrict__ weight, T* __restrict__ dx,
                     float* __restrict__ dweight_partial, int rows, int rows_per_part, float eps) {
    using L = RowLayout<T, kCols, kThreadsPerRow, kVectorBytes>;
    using W = typename L::W;
    constexpr int kThreads = kThreadsPerRow * kRowGroups;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float partials[2][n_partials(kThreads, 2)];

    W* shared = reinterpret_cast<W*>(dynamic_shared);
    W* slots = shared + (kWeights == Weights::shared ? kRowGroups * L::kRowVectors : 0);
    const int part_row = int(blockIdx.x) * rows_per_part;
    const size_t first = size_t(part_row) * L::kRowVectors;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    const WeightShare<L, kWeights> weights(reinterpret_cast<const W*>(weight), shared);
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    float dweight[L::kVectors][L::kElements] = {};
    const auto row_backward = [&](const Share<L>& share, int turn, int row, bool exists) {
        float sums[2] = {0.0f, 0.0f};
        if (exists) add_products(share, weights, sums);
        over_row<Sum, kThreadsPerRow>(sums, partials[turn % 2]);
        const float scale = rsqrtf(fmaf(sums[0], 1.0f / kCols, eps));
        // Of the mean of normed dy weight, by the scale once more: dx is scale (dy weight - normed mean).
        const float slope = sums[1] * (1.0f / kCols) * scale * scale * scale;
        W* target = reinterpret_cast<W*>(dx) + first + size_t(row) * L::kRowVectors;
        if (exists) finish_row(share, weights, scale, slope, target, dweight);
    };
    for_each_row<L, kRowGroups, kStages>(reinterpret_cast<const W*>(x) + first, reinterpret_cast<const W*>(dy) + first,
                                         min(rows_per_part, rows - part_row), slots, row_backward);
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    float* scratch = reinterpret_cast<float*>(dynamic_shared);
    store_part<L, kCols, kThreads, kRowGroups>(dweight, scratch, dweight_partial + size_t(blockIdx.x) * kCols);
}
