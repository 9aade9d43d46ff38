// Softmax over the last axis: one pass over device memory where the row is held.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. The maximum is
// subtracted before the exponential, so that no finite input overflows. Loads and stores are plain
// on purpose: cache hints make a kernel's time depend on what ran before it.

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

// Where the row waits for its maximum and sum: the threads' registers, shared memory, a quarter there
// and the rest here (for rows that neither holds), or device memory, from where it is read again.
enum class Hold { registers, shared, split, reread };
// Maximum first and sum after it (two barriers), or each thread's own maximum and sum, which are
// merged (one barrier).
enum class Algorithm { two_sweeps, online };
// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has its sums. `x` is read only when the kernel before is done.
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

constexpr float kLog2e = 1.4426950408889634f;

// Minus infinity: the maximum of nothing.
__device__ __forceinline__ float lowest() { return __int_as_float(0xff800000); }

// e^(value - maximum). Folding the factor into one multiplication and addition would overflow for
// values that a 16-bit type still holds.
__device__ __forceinline__ float exponential(float value, float maximum) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"((value - maximum) * kLog2e));
    return result;
}

// What to subtract from values that are at most `maximum`: inf - inf is not a number, and the
// exponential of minus infinity is 0 whatever is subtracted.
__device__ __forceinline__ float subtrahend(float maximum) { return maximum == lowest() ? 0.0f : maximum; }

// What `combine` makes of `value` over groups of kLanes neighbouring lanes; every lane gets it.
template <int kLanes, typename Combine> __device__ __forceinline__ float over_lanes(float value, Combine combine) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return value;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Algorithm kAlgorithm, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                  kResidentWarps == 0 ? 1 : kResidentWarps * 32 / (kThreadsPerRow * kRowsPerBlock))
    softmax(const T* x, T* __restrict__ y, int rows) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kElements = V::kElements;
    constexpr int kValues = V::kWords * Format<T>::kElements;
    constexpr int kRowVectors = kCols / kElements;
    constexpr int kVectors = (kRowVectors + kThreadsPerRow - 1) / kThreadsPerRow;
    constexpr bool kRagged = kRowVectors % kThreadsPerRow != 0;
    constexpr int kLanes = kThreadsPerRow < 32 ? kThreadsPerRow : 32;
    constexpr int kWarps = kThreadsPerRow < 32 ? 1 : kThreadsPerRow / 32;
    // A thread's vectors below this one are in registers, the others in shared memory. The quarter is
    // counted in accesses of kVectorBytes, whatever width the row allows: the launch counts so too.
    constexpr int kWidest = (kCols * int(sizeof(T)) + kThreadsPerRow * kVectorBytes - 1) / (kThreadsPerRow * kVectorBytes);
    constexpr int kInRegisters = kHold == Hold::registers ? kVectors
                                 : kHold == Hold::split   ? kWidest / 4 * (kVectorBytes / kWidth)
                                                          : 0;
    constexpr bool kCopies = kHold == Hold::shared || kHold == Hold::split;
    // What is not held in registers is taken in turns of a few vectors, for short code.
    constexpr int kUnroll = kInRegisters == 0 && kVectors > 8 ? 8 : kVectors;
    constexpr int kSharedVectors = kCopies ? kRowVectors - kInRegisters * kThreadsPerRow : 0;
    // Exponentials that are kept instead of the values they were made from.
    constexpr bool kKeeps = kHold == Hold::registers && kAlgorithm == Algorithm::online;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float maxima[kRowsPerBlock][kWarps];
    __shared__ float sums[kRowsPerBlock][kWarps];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const W* source = reinterpret_cast<const W*>(x) + size_t(row) * kRowVectors;
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kSharedVectors;
    const auto exists = [&](int v) { return row_exists && (!kRagged || v * kThreadsPerRow + threadIdx.x < kRowVectors); };
    const auto larger = [](float a, float b) { return fmaxf(a, b); };
    const auto total = [](float a, float b) { return a + b; };

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    V held[kInRegisters == 0 ? 1 : kInRegisters];
    if constexpr (kCopies) {
#pragma unroll kUnroll
        for (int v = kInRegisters; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (exists(v)) copy_async<kWidth>(row_shared + at - kInRegisters * kThreadsPerRow, source + at);
        }
    }
#pragma unroll kUnroll
    for (int v = 0; v < kInRegisters; ++v) {
        if (exists(v)) held[v] = V::load(source + v * kThreadsPerRow + threadIdx.x);
    }
    if constexpr (kCopies) wait_for_copies();
    const auto fetch = [&](int v) {
        if (v < kInRegisters) return held[v];
        const int at = v * kThreadsPerRow + threadIdx.x;
        return V::load(kCopies ? row_shared + at - kInRegisters * kThreadsPerRow : source + at);
    };

    // The row's maximum, or the thread's. Values that are read again are taken a vector at a time,
    // others all at once: then the sum is never rescaled.
    float maximum = lowest();
    float parts[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    float kept[kKeeps ? kVectors : 1][kValues];
    constexpr int kStep = kHold == Hold::reread ? 1 : kVectors;
#pragma unroll kUnroll
    for (int first = 0; first < kVectors; first += kStep) {
        float step_maximum = maximum;
#pragma unroll kUnroll
        for (int v = first; v < first + kStep; ++v) {
            if (exists(v)) {
                float values[kValues];
                fetch(v).unpack(values);
#pragma unroll
                for (int i = 0; i < kElements; ++i) step_maximum = fmaxf(step_maximum, values[i]);
            }
        }
        if constexpr (kAlgorithm == Algorithm::online) {
            const float subtracted = subtrahend(step_maximum);
            if (first > 0) {
                const float factor = exponential(maximum, subtracted);
#pragma unroll
                for (int i = 0; i < 4; ++i) parts[i] *= factor;
            }
#pragma unroll kUnroll
            for (int v = first; v < first + kStep; ++v) {
                if (exists(v)) {
                    float values[kValues];
                    fetch(v).unpack(values);
#pragma unroll
                    for (int i = 0; i < kElements; ++i) {
                        const float value = exponential(values[i], subtracted);
                        parts[i % 4] += value;
                        if constexpr (kKeeps) kept[v][i] = value;
                    }
                }
            }
        }
        maximum = step_maximum;
    }

    const float own_maximum = maximum;
    maximum = over_lanes<kLanes>(maximum, larger);
    float sum = 0.0f;
    if constexpr (kAlgorithm == Algorithm::online) {
        sum = (parts[0] + parts[1]) + (parts[2] + parts[3]);
        sum = over_lanes<kLanes>(sum * exponential(own_maximum, subtrahend(maximum)), total);
    }
    if constexpr (kWarps > 1) {
        if (threadIdx.x % 32 == 0) {
            maxima[threadIdx.y][threadIdx.x / 32] = maximum;
            if constexpr (kAlgorithm == Algorithm::online) sums[threadIdx.y][threadIdx.x / 32] = sum;
        }
        __syncthreads();
        const float warp_maximum = maxima[threadIdx.y][threadIdx.x % kWarps];
        maximum = over_lanes<kWarps>(warp_maximum, larger);
        if constexpr (kAlgorithm == Algorithm::online) {
            const float factor = exponential(warp_maximum, subtrahend(maximum));
            sum = over_lanes<kWarps>(sums[threadIdx.y][threadIdx.x % kWarps] * factor, total);
        }
    }
    if constexpr (kAlgorithm == Algorithm::two_sweeps) {
#pragma unroll kUnroll
        for (int v = 0; v < kVectors; ++v) {
            if (exists(v)) {
                float values[kValues];
                fetch(v).unpack(values);
#pragma unroll
                for (int i = 0; i < kElements; ++i) parts[i % 4] += exponential(values[i], maximum);
            }
        }
        sum = over_lanes<kLanes>((parts[0] + parts[1]) + (parts[2] + parts[3]), total);
        if constexpr (kWarps > 1) {
            if (threadIdx.x % 32 == 0) sums[threadIdx.y][threadIdx.x / 32] = sum;
            __syncthreads();
            sum = over_lanes<kWarps>(sums[threadIdx.y][threadIdx.x % kWarps], total);
        }
    }

    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    // Kept exponentials are of the thread's own maximum.
    const float scale = (kKeeps ? exponential(own_maximum, maximum) : 1.0f) / sum;
    W* target = reinterpret_cast<W*>(y) + size_t(row) * kRowVectors;
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (exists(v)) {
            float values[kValues];
            if constexpr (!kKeeps) fetch(v).unpack(values);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                values[i] = (kKeeps ? kept[v][i] : exponential(values[i], maximum)) * scale;
            }
            V::pack(values).store(target + v * kThreadsPerRow + threadIdx.x);
        }
    }
}
