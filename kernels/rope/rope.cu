// Rotary position embedding of queries and keys in one launch, halves rotated against each other.
//
// kThreads threads have a token; each takes accesses of the low half of a head together with those
// that lie half a head further. Where a thread has the same place in every head it reads the angles
// once. All loads of a thread are issued before the first is used.
#include <ridge/heads.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, typename C, int kQueryHeads, int kKeyHeads, int kDim, int kThreads, int kTokensPerBlock,
          int kVectorBytes, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads* kTokensPerBlock, blocks_of(kResidentWarps, kThreads* kTokensPerBlock))
    rope(const T* q, const T* k, const C* cosine, const C* sine, T* __restrict__ q_rotated, T* __restrict__ k_rotated,
         int tokens) {
    using L = TokenLayout<T, kQueryHeads, kKeyHeads, kDim, kThreads, kVectorBytes>;
    using V = typename L::V;
    using W = typename L::W;
    using Angles = Run<C, V::kElements>;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
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
    const auto read_angles = [&](int turn) {
        const size_t at = size_t(token) * L::kHalf + L::pair(turn) % L::kLanes * V::kElements;
        Angles::load(cosine + at, cosines);
        Angles::load(sine + at, sines);
    };
    if constexpr (L::kSamePlace) read_angles(0);
    if constexpr (kPdl == Pdl::late) allow_next_kernel();

#pragma unroll
    for (int turn = 0; turn < L::kTurns; ++turn) {
        if (L::exists(turn)) {
            if constexpr (!L::kSamePlace) read_angles(turn);
            float lows[V::kValues], highs[V::kValues];
            low[turn].unpack(lows);
            high[turn].unpack(highs);
            rotate<V::kElements>(lows, highs, cosines, sines);
            W* to = reinterpret_cast<W*>(L::is_query(turn) ? q_rotated : k_rotated) + L::at(token, turn);
            V::pack(lows).store(to);
            V::pack(highs).store(to + L::kLanes);
        }
    }
}
