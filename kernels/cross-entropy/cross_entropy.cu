// Cross-entropy of logits with integer targets: loss = log(sum(exp(x))) - x[target], a row a block.
//
// One pass over device memory: each thread keeps the maximum of what it has seen and the sum of
// exponentials relative to it, and rescales the sum when a chunk of loads brings a larger maximum.
// Loads are plain on purpose: cache hints make a kernel's time depend on what ran before it. The logits
// are not `__restrict__`, so that they are not read through the path for constant data: under
// programmatic launch the kernel before may still be writing them.

// The names under which the spec's 16-bit types arrive. Only their bits are moved and converted
// here; the toolkit's headers for them would be a sixth of the time that a candidate compiles.
struct __nv_bfloat16 { unsigned short bits; };
struct __half { unsigned short bits; };

// Elements in a 32-bit word, the first in the low half, as single precision.
template <typename T> struct Format;
template <> struct Format<float> {
    static constexpr int kElements = 1;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) { values[0] = __uint_as_float(word); }
};
template <> struct Format<__nv_bfloat16> {
    static constexpr int kElements = 2;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
        values[0] = __uint_as_float(word << 16);
        values[1] = __uint_as_float(word & 0xffff0000u);
    }
};
template <> struct Format<__half> {
    static constexpr int kElements = 2;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
        asm("{.reg .b16 low, high;\n mov.b32 {low, high}, %2;\n cvt.f32.f16 %0, low;\n cvt.f32.f16 %1, high;}"
            : "=f"(values[0]), "=f"(values[1]) : "r"(word));
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
};

// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has read its row. Inputs are read only when the kernel before is done.
enum class Pdl { off, early, late };

__device__ __forceinline__ void wait_for_kernel_before() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
__device__ __forceinline__ void allow_next_kernel() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

// Minus infinity: the maximum of nothing.
__device__ __forceinline__ float lowest() { return __int_as_float(0xff800000); }

// e^(value - maximum). Folding the factor into one multiplication and addition would overflow for
// values that a 16-bit type still holds.
__device__ __forceinline__ float exponential(float value, float maximum) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"((value - maximum) * 1.4426950408889634f));
    return result;
}

__device__ __forceinline__ float logarithm(float value) {
    float result;
    asm("lg2.approx.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result * 0.6931471805599453f;
}

// What to subtract from values that are at most `maximum`: inf - inf is not a number, and the
// exponential of minus infinity is 0 whatever is subtracted.
__device__ __forceinline__ float subtrahend(float maximum) { return maximum == lowest() ? 0.0f : maximum; }

// The maximum of a part of the row, and the sum of exponentials relative to it.
struct Part {
    float maximum;
    float sum;
};

template <int kLanes> __device__ __forceinline__ Part over_lanes(Part part) {
    const float own = part.maximum;
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) {
        part.maximum = fmaxf(part.maximum, __shfl_xor_sync(0xffffffffu, part.maximum, offset));
    }
    part.sum *= exponential(own, subtrahend(part.maximum));
#pragma unroll
    for (int offset = kLanes / 2; offset > 0; offset /= 2) part.sum += __shfl_xor_sync(0xffffffffu, part.sum, offset);
    return part;
}

// Adds kChunk accesses, kThreads apart, to a thread's maximum and sums; all loads are issued before the
// first is used. Where kGuarded, accesses from kEnd on are not there.
template <typename T, int kWidth, int kThreads, int kChunk, bool kGuarded, int kEnd>
__device__ __forceinline__ void add_chunk(const typename Word<kWidth>::Type* source, int first, float& maximum,
                                          float (&sums)[4]) {
    using V = Vector<T, kWidth>;
    constexpr int kValues = V::kWords * Format<T>::kElements;
    const auto exists = [&](int v) { return !kGuarded || first + v * kThreads < kEnd; };
    V vectors[kChunk];
#pragma unroll
    for (int v = 0; v < kChunk; ++v) {
        if (exists(v)) vectors[v] = V::load(source + first + v * kThreads);
    }
    float larger = maximum;
#pragma unroll
    for (int v = 0; v < kChunk; ++v) {
        if (exists(v)) {
            float values[kValues];
            vectors[v].unpack(values);
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) larger = fmaxf(larger, values[i]);
        }
    }
    const float subtracted = subtrahend(larger);
    const float factor = exponential(maximum, subtracted);
    maximum = larger;
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[i] *= factor;
#pragma unroll
    for (int v = 0; v < kChunk; ++v) {
        if (exists(v)) {
            float values[kValues];
            vectors[v].unpack(values);
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) sums[i % 4] += exponential(values[i], subtracted);
        }
    }
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kVectorBytes, int kChunk, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, kResidentWarps == 0 ? 1 : kResidentWarps * 32 / kThreads)
    cross_entropy(const T* x, const long long* target, float* __restrict__ loss) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kRowVectors = kCols / V::kElements;
    // Whole chunks need no comparison with the row's end; the rest is one chunk that does.
    constexpr int kWhole = kRowVectors / (kThreads * kChunk);
    constexpr int kWarps = kThreads / 32;

    __shared__ Part partials[kWarps];

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    const W* source = reinterpret_cast<const W*>(x) + size_t(blockIdx.x) * kRowVectors;
    // Fetched now, needed at the end.
    float target_logit = 0.0f;
    if (threadIdx.x == 0) {
        const T* logit = x + size_t(blockIdx.x) * kCols + target[blockIdx.x];
        float values[2];
        Vector<T, sizeof(T)>::load(reinterpret_cast<const typename Word<sizeof(T)>::Type*>(logit)).unpack(values);
        target_logit = values[0];
    }

    float maximum = lowest();
    float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll 1
    for (int turn = 0; turn < kWhole; ++turn) {
        add_chunk<T, kWidth, kThreads, kChunk, false, 0>(source, turn * kThreads * kChunk + threadIdx.x, maximum, sums);
    }
    if constexpr (kRowVectors % (kThreads * kChunk) != 0) {
        constexpr int kRest = kWhole * kThreads * kChunk;
        add_chunk<T, kWidth, kThreads, kChunk, true, kRowVectors>(source, kRest + threadIdx.x, maximum, sums);
    }

    if constexpr (kPdl == Pdl::late) allow_next_kernel();

    Part part = over_lanes<32>({maximum, (sums[0] + sums[1]) + (sums[2] + sums[3])});
    if constexpr (kWarps > 1) {
        if (threadIdx.x % 32 == 0) partials[threadIdx.x / 32] = part;
        __syncthreads();
        part = over_lanes<kWarps>(partials[threadIdx.x % kWarps]);
    }
    if (threadIdx.x == 0) loss[blockIdx.x] = part.maximum - target_logit + logarithm(part.sum);
}
