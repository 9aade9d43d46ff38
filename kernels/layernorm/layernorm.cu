// Layer normalisation over the last axis, with weight and bias: one pass over device memory where the row
// is held.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. The variance is of
// differences to a mean, never of squares, so that a large mean costs no digits. Loads and stores are
// plain on purpose: cache hints make a kernel's time depend on what ran before it. `x` is not
// `__restrict__`, so that it is not read through the path for constant data: under programmatic launch
// the kernel before may still be writing it.

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

// Where the row waits for its mean and variance: the threads' registers, shared memory, or device
// memory, from where it is read again.
enum class Hold { registers, shared, reread };
// The row's mean first and its variance after it (two barriers), or each thread's own mean and squared
// differences, which are merged (one barrier).
enum class Moments { two_sweeps, merged };
// When weight and bias are fetched: after the reduction, before it into registers, or before it into
// shared memory by an asynchronous copy, which the assembler cannot sink below the reduction.
enum class Weights { late, early, async };
// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has its variance. `x` is read only when the kernel before is done.
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
// each warp of the row.
template <int kThreadsPerRow> __device__ __forceinline__ float sum_over_row(float value, float* partials) {
    value = sum_over_lanes<kThreadsPerRow < 32 ? kThreadsPerRow : 32>(value);
    if constexpr (kThreadsPerRow > 32) {
        constexpr int kWarps = kThreadsPerRow / 32;
        if (threadIdx.x % 32 == 0) partials[threadIdx.x / 32] = value;
        __syncthreads();
        value = sum_over_lanes<kWarps>(partials[threadIdx.x % kWarps]);
    }
    return value;
}

// Count, mean, and sum of squared differences to the mean, of some of a row's elements.
struct Part {
    float count;
    float mean;
    float squares;
};

// Chan, Golub and LeVeque's pairwise update; the same whichever part is the first.
__device__ __forceinline__ Part merge(Part a, Part b) {
    const float count = a.count + b.count;
    const float inverse = __fdividef(1.0f, fmaxf(count, 1.0f));
    const float difference = a.mean - b.mean;
    return {count, (a.count * a.mean + b.count * b.mean) * inverse,
            a.squares + b.squares + difference * difference * (a.count * b.count * inverse)};
}

// Parts that all have as many elements need not tell each other.
template <int kLanes, bool kEqual> __device__ __forceinline__ Part merge_over_lanes(Part part) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        part = merge(part, {kEqual ? part.count : __shfl_xor_sync(0xffffffffu, part.count, offset),
                            __shfl_xor_sync(0xffffffffu, part.mean, offset),
                            __shfl_xor_sync(0xffffffffu, part.squares, offset)});
    }
    return part;
}

template <int kThreadsPerRow, bool kEqual>
__device__ __forceinline__ Part merge_over_row(Part part, float* counts, float* means, float* squares) {
    part = merge_over_lanes<(kThreadsPerRow < 32 ? kThreadsPerRow : 32), kEqual>(part);
    if constexpr (kThreadsPerRow > 32) {
        constexpr int kWarps = kThreadsPerRow / 32;
        if (threadIdx.x % 32 == 0) {
            if constexpr (!kEqual) counts[threadIdx.x / 32] = part.count;
            means[threadIdx.x / 32] = part.mean;
            squares[threadIdx.x / 32] = part.squares;
        }
        __syncthreads();
        const int warp = threadIdx.x % kWarps;
        part = merge_over_lanes<kWarps, kEqual>({kEqual ? part.count : counts[warp], means[warp], squares[warp]});
    }
    return part;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Moments kMoments, Weights kWeights, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                  kResidentWarps == 0 ? 1 : kResidentWarps * 32 / (kThreadsPerRow * kRowsPerBlock))
    layernorm(const T* x, const T* __restrict__ weight, const T* __restrict__ bias, T* __restrict__ y, int rows,
              float eps) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kElements = V::kElements;
    constexpr int kValues = V::kWords * Format<T>::kElements;
    constexpr int kRowVectors = kCols / kElements;
    constexpr int kVectors = (kRowVectors + kThreadsPerRow - 1) / kThreadsPerRow;
    constexpr bool kRagged = kRowVectors % kThreadsPerRow != 0;
    constexpr int kWarps = kThreadsPerRow < 32 ? 1 : kThreadsPerRow / 32;
    // What is not held in registers is taken in turns of a few vectors, for short code.
    constexpr int kUnroll = kHold != Hold::registers && kVectors > 8 ? 8 : kVectors;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float partials[3][kRowsPerBlock][kWarps];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const W* source = reinterpret_cast<const W*>(x) + size_t(row) * kRowVectors;
    const W* weights = reinterpret_cast<const W*>(weight);
    const W* biases = reinterpret_cast<const W*>(bias);
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kRowVectors;
    W* weights_shared = row_shared + (kHold == Hold::shared ? kRowsPerBlock * kRowVectors : 0);
    W* biases_shared = weights_shared + kRowsPerBlock * kRowVectors;
    const auto exists = [&](int v) { return !kRagged || v * kThreadsPerRow + threadIdx.x < kRowVectors; };

    if constexpr (kPdl == Pdl::early) allow_next_kernel();

    // Each thread copies what it will use itself, so that no barrier is needed for it.
    V held_weights[kWeights == Weights::early ? kVectors : 1], held_biases[kWeights == Weights::early ? kVectors : 1];
    if constexpr (kWeights != Weights::late) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (exists(v)) {
                if constexpr (kWeights == Weights::early) {
                    held_weights[v] = V::load(weights + at);
                    held_biases[v] = V::load(biases + at);
                } else {
                    copy_async<kWidth>(weights_shared + at, weights + at);
                    copy_async<kWidth>(biases_shared + at, biases + at);
                }
            }
        }
    }

    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    V held[kHold == Hold::registers ? kVectors : 1];
    if constexpr (kHold != Hold::reread) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (row_exists && exists(v)) {
                if constexpr (kHold == Hold::registers) held[v] = V::load(source + at);
                if constexpr (kHold == Hold::shared) copy_async<kWidth>(row_shared + at, source + at);
            }
        }
    }
    if constexpr (kHold == Hold::shared) wait_for_copies();
    const auto fetch = [&](int v, float* values) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        if constexpr (kHold == Hold::registers) held[v].unpack(values);
        if constexpr (kHold == Hold::shared) V::load(row_shared + at).unpack(values);
        if constexpr (kHold == Hold::reread) V::load(source + at).unpack(values);
    };

    // Four sums, so that the additions of one vector do not wait for each other.
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    int own_vectors = 0;
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (row_exists && exists(v)) {
            float values[kValues];
            fetch(v, values);
#pragma unroll
            for (int i = 0; i < kElements; ++i) sums[i % 4] += values[i];
            ++own_vectors;
        }
    }
    // The mean of the row, or of what this thread has of it.
    const float own_sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    const float own_count = float((kRagged ? own_vectors : kVectors) * kElements);
    float mean;
    if constexpr (kMoments == Moments::merged) {
        mean = __fdividef(own_sum, fmaxf(own_count, 1.0f));
    } else {
        mean = sum_over_row<kThreadsPerRow>(own_sum, partials[0][threadIdx.y]) * (1.0f / kCols);
    }
    float parts[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (row_exists && exists(v)) {
            float values[kValues];
            fetch(v, values);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                const float difference = values[i] - mean;
                parts[i % 4] = fmaf(difference, difference, parts[i % 4]);
            }
        }
    }
    float squares = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    if constexpr (kMoments == Moments::merged) {
        const Part all = merge_over_row<kThreadsPerRow, !kRagged>({own_count, mean, squares}, partials[0][threadIdx.y],
                                                                  partials[1][threadIdx.y], partials[2][threadIdx.y]);
        mean = all.mean;
        squares = all.squares;
    } else {
        squares = sum_over_row<kThreadsPerRow>(squares, partials[1][threadIdx.y]);
    }
    const float scale = rsqrtf(squares * (1.0f / kCols) + eps);

    if constexpr (kPdl == Pdl::late) allow_next_kernel();
    if constexpr (kWeights == Weights::async && kHold != Hold::shared) wait_for_copies();

    W* target = reinterpret_cast<W*>(y) + size_t(row) * kRowVectors;
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (row_exists && exists(v)) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            float values[kValues], factors[kValues], addends[kValues];
            fetch(v, values);
            if constexpr (kWeights == Weights::early) held_weights[v].unpack(factors);
            if constexpr (kWeights == Weights::early) held_biases[v].unpack(addends);
            if constexpr (kWeights == Weights::async) V::load(weights_shared + at).unpack(factors);
            if constexpr (kWeights == Weights::async) V::load(biases_shared + at).unpack(addends);
            if constexpr (kWeights == Weights::late) V::load(weights + at).unpack(factors);
            if constexpr (kWeights == Weights::late) V::load(biases + at).unpack(addends);
#pragma unroll
            for (int i = 0; i < kElements; ++i) values[i] = fmaf((values[i] - mean) * scale, factors[i], addends[i]);
            V::pack(values).store(target + at);
        }
    }
}
