// Backward pass of layer normalisation: the gradient of the input, and of weight and bias as one sum
// each for each part of the rows, a part a block.
//
// A group of kThreadsPerRow threads has a row at a time; kRowGroups groups take turns, and kStages of a
// group's next rows are on their way. Mean and variance are found again from the row, which is there
// anyway: the sums that the gradient needs come through the same two reductions, and the forward pass
// has nothing to keep but its input.
#include <ridge/backward.cuh>
#include <ridge/launch.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// Calls `body(v, i, x, dy, weight)` for each element of the thread's share.
template <typename L, typename Factors, typename Body>
__device__ __forceinline__ void for_each_element(const Share<L>& share, const Factors& weights, Body body) {
#pragma unroll
    for (int v = 0; v < L::kVectors; ++v) {
        if (L::exists(v, threadIdx.x)) {
            float x[L::kValues], dy[L::kValues], factors[L::kValues];
            share.x[v].unpack(x);
            share.dy[v].unpack(dy);
            weights.unpack(v, factors);
#pragma unroll
            for (int i = 0; i < L::kElements; ++i) body(v, i, x[i], dy[i], factors[i]);
        }
    }
}

// The sums of x and of dy weight over the row; exact means first, so that nothing cancels later.
template <typename L, int kThreads, typename Factors>
__device__ __forceinline__ void row_sums(const Share<L>& share, const Factors& weights, bool exists, float (&sums)[2],
                                         float* partials) {
    float parts[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (exists) {
        for_each_element(share, weights, [&](int, int i, float x, float dy, float weight) {
            parts[i % 2] += x;
            parts[2 + i % 2] = fmaf(dy, weight, parts[2 + i % 2]);
        });
    }
    sums[0] = parts[0] + parts[1];
    sums[1] = parts[2] + parts[3];
    over_row<Sum, kThreads>(sums, partials);
}

// The sums of (x - mean)^2 and of (x - mean) (dy weight - gradient_mean) over the row.
template <typename L, int kThreads, typename Factors>
__device__ __forceinline__ void row_products(const Share<L>& share, const Factors& weights, bool exists, float mean,
                                             float gradient_mean, float (&sums)[2], float* partials) {
    float parts[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (exists) {
        for_each_element(share, weights, [&](int, int i, float x, float dy, float weight) {
            const float centred = x - mean;
            parts[i % 2] = fmaf(centred, centred, parts[i % 2]);
            parts[2 + i % 2] = fmaf(centred, fmaf(dy, weight, -gradient_mean), parts[2 + i % 2]);
        });
    }
    sums[0] = parts[0] + parts[1];
    sums[1] = parts[2] + parts[3];
    over_row<Sum, kThreads>(sums, partials);
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowGroups, int kVectorBytes, int kStages, Weights kWeights,
          Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowGroups, blocks_of(kResidentWarps, kThreadsPerRow* kRowGroups))
    layernorm_backward(const T* dy, const T* x, const T* __restrict__ weight, T* __restrict__ dx,
                       float* __restrict__ dweight_partial, float* __restrict__ dbias_partial, int rows,
                       int rows_per_part, float eps) {
    using L = RowLayout<T, kCols, kThreadsPerRow, kVectorBytes>;
    using W = typename L::W;
    constexpr int kThreads = kThreadsPerRow * kRowGroups;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    // One for each reduction of a row: each is read before the other's barrier, and written behind it.
    __shared__ float partials[2][n_partials(kThreads, 2)];

    W* shared = reinterpret_cast<W*>(dynamic_shared);
    W* slots = shared + (kWeights == Weights::shared ? kRowGroups * L::kRowVectors : 0);
    const int part_row = int(blockIdx.x) * rows_per_part;
    const size_t first = size_t(part_row) * L::kRowVectors;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    const WeightShare<L, kWeights> weights(reinterpret_cast<const W*>(weight), shared);
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    float dweight[L::kVectors][L::kElements] = {}, dbias[L::kVectors][L::kElements] = {};
    const auto row_backward = [&](const Share<L>& share, int, int row, bool exists) {
        float sums[2];
        row_sums<L, kThreadsPerRow>(share, weights, exists, sums, partials[0]);
        const float mean = sums[0] * (1.0f / kCols), gradient_mean = sums[1] * (1.0f / kCols);
        row_products<L, kThreadsPerRow>(share, weights, exists, mean, gradient_mean, sums, partials[1]);
        const float scale = rsqrtf(fmaf(sums[0], 1.0f / kCols, eps));
        const float slope = sums[1] * (1.0f / kCols) * scale * scale * scale;
        W* target = reinterpret_cast<W*>(dx) + first + size_t(row) * L::kRowVectors + threadIdx.x;
        float values[L::kValues];
        if (!exists) return;
        for_each_element(share, weights, [&](int v, int i, float x_here, float dy_here, float weight_here) {
            const float centred = x_here - mean;
            dbias[v][i] += dy_here;
            dweight[v][i] = fmaf(dy_here * scale, centred, dweight[v][i]);
            values[i] = fmaf(-centred, slope, scale * fmaf(dy_here, weight_here, -gradient_mean));
            if (i == L::kElements - 1) L::V::pack(values).store(target + v * kThreadsPerRow);
        });
    };
    for_each_row<L, kRowGroups, kStages>(reinterpret_cast<const W*>(x) + first, reinterpret_cast<const W*>(dy) + first,
                                         min(rows_per_part, rows - part_row), slots, row_backward);
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    float* scratch = reinterpret_cast<float*>(dynamic_shared);
    store_part<L, kCols, kThreads, kRowGroups>(dweight, scratch, dweight_partial + size_t(blockIdx.x) * kCols);
    store_part<L, kCols, kThreads, kRowGroups>(dbias, scratch, dbias_partial + size_t(blockIdx.x) * kCols);
}
