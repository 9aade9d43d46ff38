// Cross-entropy of logits with integer targets: loss = log(sum(exp(x))) - x[target], a row for a cluster of
// kBlocksPerRow blocks, which have equal parts of it.
//
// One pass over device memory: each thread keeps the maximum of what it has seen and the sum of
// exponentials relative to it, and rescales the sum when a chunk of loads brings a larger maximum. The
// logits are not `__restrict__`: under programmatic launch the kernel before may still be writing them.
#include <ridge/access.cuh>
#include <ridge/cluster.cuh>
#include <ridge/launch.cuh>
#include <ridge/softmax.cuh>

using namespace ridge;

// Adds kChunk accesses, kThreads apart, all of them loaded before the first is used. Where kGuarded, those
// from the part's end on are not there.
template <typename L, int kThreads, int kChunk, bool kGuarded>
__device__ __forceinline__ void add_chunk(const typename L::W* source, int first, OnlineSoftmax& softmax) {
    using V = typename L::V;
    const auto exists = [&](int v) { return !kGuarded || first + v * kThreads < L::kRowVectors; };
    V vectors[kChunk];
#pragma unroll
    for (int v = 0; v < kChunk; ++v) {
        if (exists(v)) vectors[v] = V::load(source + first + v * kThreads);
    }
    softmax.add(vectors, exists);
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kBlocksPerRow, int kThreads, int kVectorBytes, int kChunk, Pdl kPdl,
          int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    cross_entropy(const T* x, const long long* target, float* __restrict__ loss) {
    using L = RowLayout<T, kCols / kBlocksPerRow, kThreads, kVectorBytes>;
    static_assert(kCols % kBlocksPerRow == 0, "parts are equal");
    // Whole chunks need no comparison with the part's end; the rest is one chunk that does.
    constexpr int kWhole = L::kRowVectors / (kThreads * kChunk);

    __shared__ SoftmaxPart partials[kBlocksPerRow * (kThreads / 32)];

    Cluster<kBlocksPerRow>::announce();
    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const auto* source = reinterpret_cast<const typename L::W*>(x) + size_t(blockIdx.x) * L::kRowVectors;
    const size_t row = blockIdx.x / kBlocksPerRow;
    const bool answers = Cluster<kBlocksPerRow>::rank() == 0 && threadIdx.x == 0;
    // Fetched now, needed at the end.
    float target_logit = 0.0f;
    if (answers) target_logit = load_element(x + row * kCols + target[row]);

    OnlineSoftmax softmax;
#pragma unroll 1
    for (int turn = 0; turn < kWhole; ++turn) {
        add_chunk<L, kThreads, kChunk, false>(source, turn * kThreads * kChunk + threadIdx.x, softmax);
    }
    if constexpr (L::kRowVectors % (kThreads * kChunk) != 0) {
        add_chunk<L, kThreads, kChunk, true>(source, kWhole * kThreads * kChunk + threadIdx.x, softmax);
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    Cluster<kBlocksPerRow>::wait_for_all_to_start();
    const SoftmaxPart part = over_cluster<kBlocksPerRow, kThreads>(softmax.part(), partials);
    if (answers) loss[row] = part.maximum - target_logit + logarithm(part.sum);
}
