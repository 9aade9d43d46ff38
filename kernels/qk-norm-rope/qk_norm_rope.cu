// Root-mean-square normalisation of every head of queries and keys, then rotary position embedding, in
// one pass over memory.
//
// kThreads threads have a token; each takes accesses of the low half of a head together with those
// that lie half a head further. A head lies in neighbouring lanes of one warp, so that its mean square
// costs shuffles and no barrier, and a thread has the same place in every head: it reads weights and
// angles once. All loads of a thread are issued before the first is used.
#include <ridge/async.cuh>
#include <ridge/heads.cuh>
#include <ridge/launch.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

// How weights come before the kernel before is done: into registers, or into shared memory by asynchronous copies,
// which the assembler cannot sink below the wait.
enum class Weights { registers, shared };

// The weights at one place of both halves of a head.
template <typename V> struct HeadWeights {
    V low, high;
    __device__ __forceinline__ void load(const typename V::W* weights, int lane, int lanes) {
        low = V::load(weights + lane);
        high = V::load(weights + lanes + lane);
    }
};

// Starts copying the weights of queries and, behind them, of keys to a warp's place.
template <typename L>
__device__ __forceinline__ void copy_weights(typename L::W* place, const typename L::W* q_weights,
                                             const typename L::W* k_weights) {
    constexpr int kHead = 2 * L::kLanes;
#pragma unroll
    for (int first = 0; first < 2 * kHead; first += 32) {
        const int at = first + threadIdx.x % 32;
        if (2 * kHead % 32 != 0 && at >= 2 * kHead) break;
        copy_async_common<L::kWidth>(place + at, at < kHead ? q_weights + at : k_weights + (at - kHead));
    }
}

// Divides a head by the root of its mean square and multiplies by the weights. kLanes lanes have it.
template <typename L>
__device__ __forceinline__ void normalise(float* low, float* high, const HeadWeights<typename L::V>& weights,
                                          float eps) {
    using V = typename L::V;
    float sums[2] = {0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < V::kElements; ++i) {
        sums[0] = fmaf(low[i], low[i], sums[0]);
        sums[1] = fmaf(high[i], high[i], sums[1]);
    }
    const float scale = rsqrtf(fmaf(sum_over_lanes<L::kLanes>(sums[0] + sums[1]), 1.0f / (2 * L::kHalf), eps));
    float low_factors[V::kValues], high_factors[V::kValues];
    weights.low.unpack(low_factors);
    weights.high.unpack(high_factors);
#pragma unroll
    for (int i = 0; i < V::kElements; ++i) {
        low[i] *= scale * low_factors[i];
        high[i] *= scale * high_factors[i];
    }
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, typename C, int kQueryHeads, int kKeyHeads, int kDim, int kThreads, int kTokensPerBlock,
          int kVectorBytes, Weights kWeights, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads* kTokensPerBlock, blocks_of(kResidentWarps, kThreads* kTokensPerBlock))
    qk_norm_rope(const T* q, const T* k, const T* __restrict__ q_weight, const T* __restrict__ k_weight,
                 const C* cosine, const C* sine, T* __restrict__ q_rotated, T* __restrict__ k_rotated, int tokens,
                 float eps) {
    using L = TokenLayout<T, kQueryHeads, kKeyHeads, kDim, kThreads, kVectorBytes>;
    using V = typename L::V;
    using W = typename L::W;
    using Angles = Run<C, V::kElements>;
    constexpr bool kInShared = kWeights == Weights::shared;
    static_assert(L::kLanes <= 32 && 32 % L::kLanes == 0, "a head is some lanes of one warp");
    static_assert(kThreads % 32 == 0, "and no warp has lanes of two tokens");

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    const int lane = threadIdx.x % L::kLanes;
    const W* q_factors = reinterpret_cast<const W*>(q_weight);
    const W* k_factors = reinterpret_cast<const W*>(k_weight);
    HeadWeights<V> q_weights, k_weights;
    __shared__ W copied[kInShared ? kThreads * kTokensPerBlock / 32 : 1][kInShared ? 4 * L::kLanes : 1];
    W* place = copied[kInShared ? (threadIdx.y * kThreads + threadIdx.x) / 32 : 0];
    if constexpr (kInShared) {
        copy_weights<L>(place, q_factors, k_factors);
    } else {
        q_weights.load(q_factors, lane, L::kLanes);
        k_weights.load(k_factors, lane, L::kLanes);
    }
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const int token = blockIdx.x * kTokensPerBlock + threadIdx.y;
    if (kTokensPerBlock > 1 && token >= tokens) return;

    V low[L::kTurns], high[L::kTurns];
#pragma unroll
    for (int turn = 0; turn < L::kTurns; ++turn) {
        if (L::exists(turn)) {
            const W* from = reinterpret_cast<const W*>(L::is_query(turn) ? q : k) + L::at(token, turn);
            low[turn] = V::load(from);
            high[turn] = V::load(from + L::kLanes);
        }
    }
    float cosines[Angles::kValues], sines[Angles::kValues];
    const size_t angles = size_t(token) * L::kHalf + lane * V::kElements;
    Angles::load(cosine + angles, cosines);
    Angles::load(sine + angles, sines);
    if constexpr (kInShared) {
        wait_for_copies();
        __syncwarp();
        q_weights.load(place, lane, L::kLanes);
        k_weights.load(place + 2 * L::kLanes, lane, L::kLanes);
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

#pragma unroll
    for (int turn = 0; turn < L::kTurns; ++turn) {
        // All lanes of a warp take part in its sums, with zeros where there is no head.
        float lows[V::kValues] = {}, highs[V::kValues] = {};
        if (L::exists(turn)) {
            low[turn].unpack(lows);
            high[turn].unpack(highs);
        }
        normalise<L>(lows, highs, L::is_query(turn) ? q_weights : k_weights, eps);
        if (L::exists(turn)) {
            rotate<V::kElements>(lows, highs, cosines, sines);
            W* to = reinterpret_cast<W*>(L::is_query(turn) ? q_rotated : k_rotated) + L::at(token, turn);
            V::pack(lows).store(to);
            V::pack(highs).store(to + L::kLanes);
        }
    }
}
