// Residual addition, then root-mean-square normalisation of the sum over the last axis: two outputs.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. The sum is rounded
// to the tensors' type, kept where `kHold` says until its mean square is known, and what is stored is
// what is normalised. Loads and stores are plain on purpose: cache hints make a kernel's time depend on
// what ran before it. The inputs are not `__restrict__`, so that they are not read through the path for
// constant data: under programmatic launch the kernel before may still be writing them.

// The names under which the spec's 16-bit types arrive. Only their bits are moved and converted
// here; the toolkit's headers for them would be a sixth of the time that a candidate compiles.
struct __nv_bfloat16 { unsigned short bits; };
struct __half { unsigned short bits; };

// Elements in a 32-bit word, the first in the low half, as single precision and back.
template <typename T> struct Format;
template <> struct Format<float> {
    static constexpr int kElements = 1;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) { values[0] = __uint_as_float(word); }
    static __device__ __forceinline__ unsigned pack(const float* values) { return __float_as_uint(values[0]); }
};
template <> struct Format<__nv_bfloat16> {
    static constexpr int kElements = 2;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
        values[0] = __uint_as_float(word << 16);
        values[1] = __uint_as_float(word & 0xffff0000u);
    }
    static __device__ __forceinline__ unsigned pack(const float* values) {
        unsigned word;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(values[1]), "f"(values[0]));
        return word;
    }
};
template <> struct Format<__half> {
    static constexpr int kElements = 2;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
        asm("{.reg .b16 low, high;\n mov.b32 {low, high}, %2;\n cvt.f32.f16 %0, low;\n cvt.f32.f16 %1, high;}"
            : "=f"(values[0]), "=f"(values[1]) : "r"(word));
    }
    static __device__ __forceinline__ unsigned pack(const float* values) {
        unsigned word;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(values[1]), "f"(values[0]));
        return word;
    }
};

// The machine word that moves kBytes at once.
template <int kBytes> struct Word;
template <> struct Word<16> { using Type = uint4; };
template <> struct Word<8> { using Type = uint2; };
template <> struct Word<4> { using Type = unsigned int; };
template <> struct Word<2> { using Type = unsigned short; };

// The widest access, at most kBytes, that keeps every row of kRowBytes aligned.
__host__ __device__ constexpr int access_width(int bytes, int row_bytes) {
    while (row_bytes % bytes != 0) bytes /= 2;
    return bytes;
}

// kBytes of consecutive elements.
template <typename T, int kBytes> struct Vector {
    static constexpr int kElements = kBytes / int(sizeof(T));
    static constexpr int kWords = (kBytes + 3) / 4;
    using W = typename Word<kBytes>::Type;
    unsigned words[kWords];

    static __device__ __forceinline__ Vector load(const W* from) {
        union {
            W whole;
            unsigned words[kWords];
        } bits = {};
        bits.whole = *from;
        Vector vector;
#pragma unroll
        for (int i = 0; i < kWords; ++i) vector.words[i] = bits.words[i];
        return vector;
    }
    // Values beyond kElements, where an access is narrower than a word, are meaningless.
    __device__ __forceinline__ void unpack(float* values) const {
#pragma unroll
        for (int i = 0; i < kWords; ++i) Format<T>::unpack(words[i], values + i * Format<T>::kElements);
    }
    static __device__ __forceinline__ Vector pack(const float* values) {
        Vector vector;
#pragma unroll
        for (int i = 0; i < kWords; ++i) vector.words[i] = Format<T>::pack(values + i * Format<T>::kElements);
        return vector;
    }
    __device__ __forceinline__ void store(W* to) const {
        union {
            W whole;
            unsigned words[kWords];
        } bits;
#pragma unroll
        for (int i = 0; i < kWords; ++i) bits.words[i] = words[i];
        *to = bits.whole;
    }
};

// Where the sum waits for its mean square: the threads' registers, shared memory, or its output, from
// where it is read again.
enum class Hold { registers, shared, reread };
// When the weights are fetched: after the reduction, before it into registers, or before it into
// shared memory by an asynchronous copy, which the assembler cannot sink below the reduction.
enum class Weights { late, early, async };
// When the sum is stored: as soon as it is known, or with the norm.
enum class Store { early, late };
// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has its sums. The inputs are read only when the kernel before is done.
enum class Pdl { off, early, late };

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Copies kBytes from global to shared memory without passing through registers, where the
// hardware has a copy of that width.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* to, const void* from) {
    if constexpr (kBytes == 16) {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
    } else if constexpr (kBytes >= 4) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(shared_address(to)), "l"(from), "n"(kBytes) : "memory");
    } else {
        using W = typename Word<kBytes>::Type;
        *static_cast<W*>(to) = *static_cast<const W*>(from);
    }
}

__device__ __forceinline__ void wait_for_copies() {
    asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
}

__device__ __forceinline__ void wait_for_kernel_before() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
__device__ __forceinline__ void allow_next_kernel() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

template <int kLanes> __device__ __forceinline__ float sum_over_lanes(float value) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    return value;
}

// Sums `value` over the threads of a row; every thread gets the sum. `partials` has one slot for
// each warp of the block.
template <int kThreadsPerRow>
__device__ __forceinline__ float sum_over_row(float value, float* partials) {
    value = sum_over_lanes<kThreadsPerRow < 32 ? kThreadsPerRow : 32>(value);
    if constexpr (kThreadsPerRow > 32) {
        constexpr int kWarps = kThreadsPerRow / 32;
        float* mine = partials + threadIdx.y * kWarps;
        if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
        __syncthreads();
        if constexpr (kWarps > 4) return sum_over_lanes<kWarps>(mine[threadIdx.x % kWarps]);
        value = 0.0f;
#pragma unroll
        for (int warp = 0; warp < kWarps; ++warp) value += mine[warp];
    }
    return value;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Weights kWeights, Store kStore, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                  kResidentWarps == 0 ? 1 : kResidentWarps * 32 / (kThreadsPerRow * kRowsPerBlock))
    add_rmsnorm(const T* x, const T* residual, const T* __restrict__ weight, T* __restrict__ sum, T* __restrict__ y,
                int rows, float eps) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kElements = V::kElements;
    constexpr int kValues = V::kWords * Format<T>::kElements;
    constexpr int kRowVectors = kCols / kElements;
    constexpr int kVectors = (kRowVectors + kThreadsPerRow - 1) / kThreadsPerRow;
    constexpr bool kRagged = kRowVectors % kThreadsPerRow != 0;
    // What is not held in registers is taken in turns of a few vectors, for short code.
    constexpr int kUnroll = kHold != Hold::registers && kVectors > 4 ? 4 : kVectors;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float partials[kThreadsPerRow * kRowsPerBlock / 32 + 1];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const size_t row_start = size_t(row) * kRowVectors;
    const W* source = reinterpret_cast<const W*>(x) + row_start;
    const W* addend = reinterpret_cast<const W*>(residual) + row_start;
    const W* weights = reinterpret_cast<const W*>(weight);
    W* total = reinterpret_cast<W*>(sum) + row_start;
    W* target = reinterpret_cast<W*>(y) + row_start;
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kRowVectors;
    W* weights_shared = row_shared + (kHold == Hold::shared ? kRowsPerBlock * kRowVectors : 0);

    if constexpr (kPdl == Pdl::early) allow_next_kernel();

    // Each thread copies the weights it will use itself, so that no barrier is needed for them.
    V held_weights[kWeights == Weights::early ? kVectors : 1];
    if constexpr (kWeights != Weights::late) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (!kRagged || at < kRowVectors) {
                if constexpr (kWeights == Weights::early) held_weights[v] = V::load(weights + at);
                if constexpr (kWeights == Weights::async) copy_async<kWidth>(weights_shared + at, weights + at);
            }
        }
    }

    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    // All loads of a thread that holds its row are issued before the first addition.
    V held[kHold == Hold::registers ? kVectors : 1], added[kHold == Hold::registers ? kVectors : 1];
    if constexpr (kHold == Hold::registers) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && (!kRagged || at < kRowVectors)) {
                held[v] = V::load(source + at);
                added[v] = V::load(addend + at);
            }
        }
    }

    // Four sums of squares, so that the additions of one vector do not wait for each other.
    float squares[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            float values[kValues], addends[kValues];
            (kHold == Hold::registers ? held[v] : V::load(source + at)).unpack(values);
            (kHold == Hold::registers ? added[v] : V::load(addend + at)).unpack(addends);
#pragma unroll
            for (int i = 0; i < kElements; ++i) values[i] += addends[i];
            const V rounded = V::pack(values);
            rounded.unpack(values);
#pragma unroll
            for (int i = 0; i < kElements; ++i) squares[i % 4] = fmaf(values[i], values[i], squares[i % 4]);
            if constexpr (kHold == Hold::registers) held[v] = rounded;
            if constexpr (kHold == Hold::shared) rounded.store(row_shared + at);
            if constexpr (kStore == Store::early) rounded.store(total + at);
        }
    }
    const float all = sum_over_row<kThreadsPerRow>((squares[0] + squares[1]) + (squares[2] + squares[3]), partials);
    const float scale = rsqrtf(all * (1.0f / kCols) + eps);

    if constexpr (kPdl == Pdl::late) allow_next_kernel();
    if constexpr (kWeights == Weights::async) wait_for_copies();

#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if (row_exists && (!kRagged || at < kRowVectors)) {
            V vector;
            if constexpr (kHold == Hold::registers) vector = held[v];
            if constexpr (kHold == Hold::shared) vector = V::load(row_shared + at);
            if constexpr (kHold == Hold::reread) vector = V::load(total + at);
            if constexpr (kStore == Store::late) vector.store(total + at);
            float values[kValues], factors[kValues];
            vector.unpack(values);
            if constexpr (kWeights == Weights::early) held_weights[v].unpack(factors);
            if constexpr (kWeights == Weights::async) V::load(weights_shared + at).unpack(factors);
            if constexpr (kWeights == Weights::late) V::load(weights + at).unpack(factors);
#pragma unroll
            for (int i = 0; i < kElements; ++i) values[i] = values[i] * scale * factors[i];
            V::pack(values).store(target + at);
        }
    }
}
