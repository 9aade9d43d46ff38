// SiLU gating quantised to fp8 (e4m3): gate * sigmoid(gate) * up, with one scale for each group of
// neighbouring elements.
//
// A group's elements lie in neighbouring lanes of one warp, so that its scale costs shuffles and no
// barrier. All loads of a thread are issued before the first is used. Loads and stores are plain on
// purpose: cache hints make a kernel's time depend on what ran before it.

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
    __device__ __forceinline__ void unpack(float* values) const {
#pragma unroll
        for (int i = 0; i < kWords; ++i) Format<T>::unpack(words[i], values + i * Format<T>::kElements);
    }
};

// Programmatic dependent launch: none, or the next kernel of the stream may start when every block
// has begun, or when every block has read. The inputs are read only when the kernel before is done.
enum class Pdl { off, early, late };

constexpr float kLargest = 448.0f;  // of e4m3
constexpr float kLeastMaximum = 1e-10f;  // a group of zeros has a scale, too

__device__ __forceinline__ void wait_for_kernel_before() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
__device__ __forceinline__ void allow_next_kernel() { asm volatile("griddepcontrol.launch_dependents;" ::: "memory"); }

__device__ __forceinline__ float silu(float value) {
    float power, reciprocal;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(value * -1.4426950408889634f));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(1.0f + power));
    return value * reciprocal;
}

// Two e4m3 values of single precision ones, the first in the low byte; beyond the largest they are it.
__device__ __forceinline__ unsigned e4m3x2(float first, float second) {
    unsigned short pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
    return pair;
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kGroups, int kGroup, int kThreads, int kUnroll, int kVectorBytes, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, kResidentWarps == 0 ? 1 : kResidentWarps * 32 / kThreads)
    silu_mul_fp8(const T* gate, const T* up, unsigned char* __restrict__ y, float* __restrict__ scale, int rows) {
    using V = Vector<T, kVectorBytes>;
    using W = typename V::W;
    constexpr int kElements = V::kElements;
    constexpr int kLanes = kGroup / kElements;
    static_assert(kGroup % kElements == 0 && kLanes <= 32 && 32 % kLanes == 0, "a group is some lanes of one warp");
    const long long n_vectors = static_cast<long long>(rows) * (kGroups * kLanes);
    const W* gates = reinterpret_cast<const W*>(gate);
    const W* ups = reinterpret_cast<const W*>(up);
    const long long first = static_cast<long long>(blockIdx.x) * (kThreads * kUnroll) + threadIdx.x;

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    V g[kUnroll], u[kUnroll];
#pragma unroll
    for (int v = 0; v < kUnroll; ++v) {
        const long long at = first + v * kThreads;
        if (at < n_vectors) {
            g[v] = V::load(gates + at);
            u[v] = V::load(ups + at);
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int v = 0; v < kUnroll; ++v) {
        const long long at = first + v * kThreads;
        float values[kElements], factors[kElements];
        float maximum = 0.0f;
        if (at < n_vectors) {
            g[v].unpack(values);
            u[v].unpack(factors);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                values[i] = silu(values[i]) * factors[i];
                maximum = fmaxf(maximum, fabsf(values[i]));
            }
        }
        // A group is there as a whole or not at all, and every lane takes part.
#pragma unroll
        for (int offset = kLanes / 2; offset > 0; offset /= 2) {
            maximum = fmaxf(maximum, __shfl_xor_sync(0xffffffffu, maximum, offset));
        }
        maximum = fmaxf(maximum, kLeastMaximum);
        if (at < n_vectors) {
            const float quantum = kLargest / maximum;
            union {
                typename Word<kElements>::Type whole;
                unsigned words[(kElements + 3) / 4];
            } bits;
#pragma unroll
            for (int i = 0; i < kElements; i += 4) {
                unsigned word = e4m3x2(values[i] * quantum, values[i + 1] * quantum);
                if constexpr (kElements > 2) word |= e4m3x2(values[i + 2] * quantum, values[i + 3] * quantum) << 16;
                bits.words[i / 4] = word;
            }
            reinterpret_cast<typename Word<kElements>::Type*>(y)[at] = bits.whole;
            if (threadIdx.x % kLanes == 0) scale[at / kLanes] = maximum * (1.0f / kLargest);
        }
    }
}
