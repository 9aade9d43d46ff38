// SiLU gating: y = gate * sigmoid(gate) * up, element by element.
//
// A block covers kThreads * kUnroll * kVectorBytes bytes of one row. All loads of a thread are issued
// before the first is used. Loads and stores are plain on purpose: cache hints make a kernel's time
// depend on what ran before it.

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

// 1 / (1 + e^-x) by the fast exponential and reciprocal, or with the division rounded as IEEE asks.
enum class Division { approximate, exact };
// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has read. The inputs are read only when the kernel before is done.
enum class Pdl { off, early, late };

__device__ __forceinline__ void wait_for_kernel_before() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
__device__ __forceinline__ void allow_next_kernel() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

template <Division kDivision> __device__ __forceinline__ float silu(float value) {
    float power, reciprocal;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(value * -1.4426950408889634f));
    if constexpr (kDivision == Division::exact) return __fdiv_rn(value, 1.0f + power);
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(1.0f + power));
    return value * reciprocal;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Division kDivision, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, kResidentWarps == 0 ? 1 : kResidentWarps * 32 / kThreads)
    silu_mul(const T* gate, const T* up, T* __restrict__ y) {
    constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    constexpr int kElements = V::kElements;
    constexpr int kValues = V::kWords * Format<T>::kElements;
    constexpr int kRowVectors = kCols / kElements;
    // Rows that allow only narrower accesses take more of them, so that the grid stays the same.
    constexpr int kVectors = kUnroll * (kVectorBytes / kWidth);
    constexpr int kBlockVectors = kThreads * kVectors;
    constexpr int kBlocksPerRow = (kRowVectors + kBlockVectors - 1) / kBlockVectors;
    constexpr bool kRagged = kRowVectors % kBlockVectors != 0;

    const size_t row_start = size_t(blockIdx.x / kBlocksPerRow) * kRowVectors;
    const W* gates = reinterpret_cast<const W*>(gate) + row_start;
    const W* ups = reinterpret_cast<const W*>(up) + row_start;
    W* target = reinterpret_cast<W*>(y) + row_start;
    const int first = blockIdx.x % kBlocksPerRow * kBlockVectors + threadIdx.x;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    V g[kVectors], u[kVectors];
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            g[v] = V::load(gates + at);
            u[v] = V::load(ups + at);
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const int at = first + v * kThreads;
        if (!kRagged || at < kRowVectors) {
            float gate_values[kValues], values[kValues];
            g[v].unpack(gate_values);
            u[v].unpack(values);
#pragma unroll
            for (int i = 0; i < kElements; ++i) values[i] *= silu<kDivision>(gate_values[i]);
            V::pack(values).store(target + at);
        }
    }
}
