// Cross-entropy of logits with integer targets and its gradient, forward and backward in one launch:
// loss = log(sum(exp(x))) - x[target], dlogits = scale (softmax(x) - onehot(target)), a row for a cluster of
// kBlocksPerRow blocks, which have equal parts of it.
//
// The row is read once from device memory. The first sweep of a part finds the maximum and the sum of
// exponentials; what the second needs waits in the threads' registers (kRegisterTurns accesses of each
// thread), in shared memory (kSharedTurns), and for the rest in the L2 cache, from where it is read
// again, the last first. The logits are not `__restrict__`: under programmatic launch the kernel
// before may still be writing them.
#include <ridge/access.cuh>
#include <ridge/async.cuh>
#include <ridge/cluster.cuh>
#include <ridge/launch.cuh>
#include <ridge/softmax.cuh>

using namespace ridge;

// A block's part of a row of logits and where each thread's accesses of it wait between the sweeps.
template <typename L, int kThreads, int kRegisterTurns, int kSharedTurns, int kChunk> struct Logits {
    using V = typename L::V;
    using W = typename L::W;
    static constexpr int kGroups = (kSharedTurns + kChunk - 1) / kChunk;
    static constexpr int kHeldTurns = kRegisterTurns + kSharedTurns;

    const W* source;
    W* shared;
    V held[kRegisterTurns == 0 ? 1 : kRegisterTurns];

    static __device__ __forceinline__ bool exists(int turn) { return L::at(turn, threadIdx.x) < L::kRowVectors; }

    // Starts all that can be started before anything is needed.
    __device__ __forceinline__ void start() {
#pragma unroll
        for (int turn = 0; turn < kRegisterTurns; ++turn) {
            if (L::exists(turn, threadIdx.x)) held[turn] = V::load(source + L::at(turn, threadIdx.x));
        }
#pragma unroll
        for (int turn = 0; turn < kSharedTurns; ++turn) {
            const W* from = source + L::at(kRegisterTurns + turn, threadIdx.x);
            if (L::exists(kRegisterTurns + turn, threadIdx.x)) {
                copy_async<L::kWidth>(shared + L::at(turn, threadIdx.x), from);
            }
            if ((turn + 1) % kChunk == 0 || turn + 1 == kSharedTurns) end_group_of_copies();
        }
    }

    // A chunk of accesses that are not held.
    __device__ __forceinline__ void read(int first, V (&vectors)[kChunk]) const {
#pragma unroll
        for (int v = 0; v < kChunk; ++v) {
            if (exists(first + v)) vectors[v] = V::load(source + L::at(first + v, threadIdx.x));
        }
    }

    // Each group of copies from shared memory as it arrives.
    template <int kGroup> __device__ __forceinline__ void add_groups(OnlineSoftmax& softmax) const {
        if constexpr (kGroup < kGroups) {
            constexpr int kFirst = kGroup * kChunk;
            constexpr int kCount = kSharedTurns - kFirst < kChunk ? kSharedTurns - kFirst : kChunk;
            const auto there = [&](int v) { return L::exists(kRegisterTurns + kFirst + v, threadIdx.x); };
            wait_for_groups_but<kGroups - 1 - kGroup>();
            V vectors[kCount];
#pragma unroll
            for (int v = 0; v < kCount; ++v) {
                if (there(v)) vectors[v] = V::load(shared + L::at(kFirst + v, threadIdx.x));
            }
            softmax.add(vectors, there);
            add_groups<kGroup + 1>(softmax);
        }
    }

    // The first sweep.
    __device__ __forceinline__ SoftmaxPart sweep() const {
        OnlineSoftmax softmax;
        if constexpr (kRegisterTurns > 0) {
            softmax.add(held, [&](int v) { return L::exists(v, threadIdx.x); });
        }
        add_groups<0>(softmax);
#pragma unroll 1
        for (int first = kHeldTurns; first < L::kVectors; first += kChunk) {
            V vectors[kChunk];
            read(first, vectors);
            softmax.add(vectors, [&](int v) { return exists(first + v); });
        }
        return softmax.part();
    }

    // Calls `body(vector, at)` for each of the thread's accesses, those not held from the last on.
    template <typename Body> __device__ __forceinline__ void sweep_again(Body body) const {
        constexpr int kChunks = (L::kVectors - kHeldTurns + kChunk - 1) / kChunk;
#pragma unroll 1
        for (int chunk = kChunks - 1; chunk >= 0; --chunk) {
            const int first = kHeldTurns + chunk * kChunk;
            V vectors[kChunk];
            read(first, vectors);
#pragma unroll
            for (int v = 0; v < kChunk; ++v) {
                if (exists(first + v)) body(vectors[v], L::at(first + v, threadIdx.x));
            }
        }
#pragma unroll 4
        for (int turn = kSharedTurns - 1; turn >= 0; --turn) {
            if (L::exists(kRegisterTurns + turn, threadIdx.x)) {
                body(V::load(shared + L::at(turn, threadIdx.x)), L::at(kRegisterTurns + turn, threadIdx.x));
            }
        }
#pragma unroll
        for (int turn = 0; turn < kRegisterTurns; ++turn) {
            if (L::exists(turn, threadIdx.x)) body(held[turn], L::at(turn, threadIdx.x));
        }
    }
};

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kBlocksPerRow, int kThreads, int kRegisterTurns, int kSharedTurns, int kChunk,
          Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    cross_entropy_backward(const T* x, const long long* target, float* __restrict__ loss, T* __restrict__ dlogits,
                           float scale, long long ignore_index) {
    using L = RowLayout<T, kCols / kBlocksPerRow, kThreads, 16>;
    using V = typename L::V;
    using W = typename L::W;
    static_assert(kCols % kBlocksPerRow == 0, "parts are equal");

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ SoftmaxPart partials[kBlocksPerRow * (kThreads / 32)];

    Cluster<kBlocksPerRow>::announce();
    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const size_t row = blockIdx.x / kBlocksPerRow, first = size_t(blockIdx.x) * L::kRowVectors;
    const int rank = Cluster<kBlocksPerRow>::rank();
    const bool answers = rank == 0 && threadIdx.x == 0;
    Logits<L, kThreads, kRegisterTurns, kSharedTurns, kChunk> logits;
    logits.source = reinterpret_cast<const W*>(x) + first;
    logits.shared = reinterpret_cast<W*>(dynamic_shared);
    W* sink = reinterpret_cast<W*>(dlogits) + first;

    const long long column = target[row];
    if (column == ignore_index) {
        const float zeros[V::kValues] = {};
        for (int at = threadIdx.x; at < L::kRowVectors; at += kThreads) V::pack(zeros).store(sink + at);
        if (answers) loss[row] = 0.0f;
        Cluster<kBlocksPerRow>::wait_for_all_to_start();
        return;
    }
    logits.start();
    // Fetched now, needed at the end. A target that is no column makes the loss no number.
    float target_logit = __int_as_float(0x7fffffff);
    if (answers && 0 <= column && column < kCols) target_logit = load_element(x + row * kCols + column);

    const SoftmaxPart own = logits.sweep();
    Cluster<kBlocksPerRow>::wait_for_all_to_start();
    const SoftmaxPart part = over_cluster<kBlocksPerRow, kThreads>(own, partials);
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
    if (answers) loss[row] = part.maximum - target_logit + logarithm(part.sum);

    const float subtracted = subtrahend(part.maximum);
    const float factor = scale * reciprocal(part.sum);
    logits.sweep_again([&](const V& vector, int at) {
        float values[V::kValues];
        vector.unpack(values);
#pragma unroll
        for (int i = 0; i < V::kElements; ++i) values[i] = exponential(values[i], subtracted) * factor;
        if (rank * L::kRowVectors + at == column / V::kElements) {
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) values[i] -= i == column % V::kElements ? scale : 0.0f;
        }
        V::pack(values).store(sink + at);
    });
}
