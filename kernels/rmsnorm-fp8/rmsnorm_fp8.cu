// Root-mean-square normalisation over the last axis, quantised to fp8 (e4m3) with one scale a row.
//
// A group of kThreadsPerRow threads owns a row; kRowsPerBlock groups share a block. One reduction finds
// both the mean square of x and the largest |x * weight|, which is the norm's largest value but for the
// row's factor: no second barrier. Loads and stores are plain on purpose: cache hints make a kernel's
// time depend on what ran before it. `x` is not `__restrict__`, so that it is not read through the path
// for constant data: under programmatic launch the kernel before may still be writing it.

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
template <> struct Word<1> { using Type = unsigned char; };

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

// Where the row waits for its sums: the threads' registers, shared memory, or device memory, from where
// it is read again.
enum class Hold { registers, shared, reread };
// Where the weights are between their two uses: device memory and its caches, registers, or shared
// memory, to which an asynchronous copy takes them that the assembler cannot sink.
enum class Weights { reread, registers, shared };
// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has its sums. `x` is read only when the kernel before is done.
enum class Pdl { off, early, late };

constexpr float kLargest = 448.0f;  // of e4m3
constexpr float kLeastMaximum = 1e-10f;  // a row of zeros has a scale, too

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

// Two e4m3 values of single precision ones, the first in the low byte; beyond the largest they are it.
__device__ __forceinline__ unsigned e4m3x2(float first, float second) {
    unsigned short pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
    return pair;
}

// Stores kElements values as e4m3, with one access.
template <int kElements> __device__ __forceinline__ void store_e4m3(unsigned char* to, const float* values) {
    union {
        typename Word<kElements>::Type whole;
        unsigned words[(kElements + 3) / 4];
    } bits;
#pragma unroll
    for (int i = 0; i < kElements; i += 4) {
        unsigned word = e4m3x2(values[i], i + 1 < kElements ? values[i + 1] : 0.0f);
        if (i + 2 < kElements) word |= e4m3x2(values[i + 2], values[i + 3]) << 16;
        bits.words[i / 4] = word;
    }
    *reinterpret_cast<typename Word<kElements>::Type*>(to) = bits.whole;
}

// What one pass over a row finds.
struct Statistics {
    float squares;  // the sum of x^2
    float largest;  // the largest |x * weight|
};

template <int kLanes> __device__ __forceinline__ Statistics over_lanes(Statistics value) {
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        value.squares += __shfl_xor_sync(0xffffffffu, value.squares, offset);
        value.largest = fmaxf(value.largest, __shfl_xor_sync(0xffffffffu, value.largest, offset));
    }
    return value;
}

// Combines over the threads of a row; every thread gets the result. `partials` has one slot for each
// warp of the block.
template <int kThreadsPerRow> __device__ __forceinline__ Statistics over_row(Statistics value, float2* partials) {
    value = over_lanes<kThreadsPerRow < 32 ? kThreadsPerRow : 32>(value);
    if constexpr (kThreadsPerRow > 32) {
        constexpr int kWarps = kThreadsPerRow / 32;
        float2* mine = partials + threadIdx.y * kWarps;
        if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = make_float2(value.squares, value.largest);
        __syncthreads();
        const float2 other = mine[threadIdx.x % kWarps];
        value = over_lanes<kWarps>({other.x, other.y});
    }
    return value;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreadsPerRow, int kRowsPerBlock, int kVectorBytes, Hold kHold,
          Weights kWeights, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreadsPerRow* kRowsPerBlock,
                                  kResidentWarps == 0 ? 1 : kResidentWarps * 32 / (kThreadsPerRow * kRowsPerBlock))
    rmsnorm_fp8(const T* x, const T* __restrict__ weight, unsigned char* __restrict__ y, float* __restrict__ scale,
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
    constexpr int kUnroll = kHold != Hold::registers && kVectors > 8 ? 8 : kVectors;

    extern __shared__ __align__(16) unsigned char dynamic_shared[];
    __shared__ float2 partials[kThreadsPerRow * kRowsPerBlock / 32 + 1];

    const int row = blockIdx.x * kRowsPerBlock + threadIdx.y;
    const bool row_exists = kRowsPerBlock == 1 || row < rows;
    const W* source = reinterpret_cast<const W*>(x) + size_t(row) * kRowVectors;
    const W* weights = reinterpret_cast<const W*>(weight);
    W* row_shared = reinterpret_cast<W*>(dynamic_shared) + threadIdx.y * kRowVectors;
    W* weights_shared = row_shared + (kHold == Hold::shared ? kRowsPerBlock * kRowVectors : 0);
    const auto exists = [&](int v) { return !kRagged || v * kThreadsPerRow + threadIdx.x < kRowVectors; };

    if constexpr (kPdl == Pdl::early) allow_next_kernel();

    // Each thread copies the weights it will use itself, so that no barrier is needed for them.
    V held_weights[kWeights == Weights::registers ? kVectors : 1];
    if constexpr (kWeights != Weights::reread) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const int at = v * kThreadsPerRow + threadIdx.x;
            if (exists(v)) {
                if constexpr (kWeights == Weights::registers) held_weights[v] = V::load(weights + at);
                if constexpr (kWeights == Weights::shared) copy_async<kWidth>(weights_shared + at, weights + at);
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
    if constexpr (kHold == Hold::shared || kWeights == Weights::shared) wait_for_copies();
    // x * weight, and x itself in `values`.
    const auto product = [&](int v, float* values, float* products) {
        const int at = v * kThreadsPerRow + threadIdx.x;
        float factors[kValues];
        if constexpr (kHold == Hold::registers) held[v].unpack(values);
        if constexpr (kHold == Hold::shared) V::load(row_shared + at).unpack(values);
        if constexpr (kHold == Hold::reread) V::load(source + at).unpack(values);
        if constexpr (kWeights == Weights::registers) held_weights[v].unpack(factors);
        if constexpr (kWeights == Weights::shared) V::load(weights_shared + at).unpack(factors);
        if constexpr (kWeights == Weights::reread) V::load(weights + at).unpack(factors);
#pragma unroll
        for (int i = 0; i < kElements; ++i) products[i] = values[i] * factors[i];
    };

    // Four of each, so that the elements of one vector do not wait for each other.
    float squares[4] = {0.0f, 0.0f, 0.0f, 0.0f}, largest[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (row_exists && exists(v)) {
            float values[kValues], products[kValues];
            product(v, values, products);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                squares[i % 4] = fmaf(values[i], values[i], squares[i % 4]);
                largest[i % 4] = fmaxf(largest[i % 4], fabsf(products[i]));
            }
        }
    }
    const Statistics found = over_row<kThreadsPerRow>(
        {(squares[0] + squares[1]) + (squares[2] + squares[3]),
         fmaxf(fmaxf(largest[0], largest[1]), fmaxf(largest[2], largest[3]))}, partials);
    const float factor = rsqrtf(found.squares * (1.0f / kCols) + eps);
    const float maximum = fmaxf(found.largest * factor, kLeastMaximum);
    const float quantum = factor * (kLargest / maximum);

    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    if (row_exists && threadIdx.x == 0) scale[row] = maximum * (1.0f / kLargest);
    unsigned char* target = y + size_t(row) * kCols;
#pragma unroll kUnroll
    for (int v = 0; v < kVectors; ++v) {
        if (row_exists && exists(v)) {
            float values[kValues], products[kValues];
            product(v, values, products);
#pragma unroll
            for (int i = 0; i < kElements; ++i) products[i] *= quantum;
            store_e4m3<kElements>(target + (v * kThreadsPerRow + threadIdx.x) * kElements, products);
        }
    }
}
