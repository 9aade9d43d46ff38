// Storage types and their conversion to single precision and back, a 32-bit word at a time.
//
// The names are those under which a spec's types arrive. Only bits are moved and converted here, so
// that the toolkit's headers, a sixth of the time that a small kernel compiles, are not needed; a
// source that wants them as well includes them first.
#pragma once

#ifndef __CUDA_BF16_TYPES_EXIST__
struct __nv_bfloat16 { unsigned short bits; };
#endif
#ifndef __CUDA_FP16_TYPES_EXIST__
struct __half { unsigned short bits; };
#endif
#ifndef __CUDA_FP8_TYPES_EXIST__
struct __nv_fp8_e4m3 { unsigned char bits; };
struct __nv_fp8_e5m2 { unsigned char bits; };
#endif

namespace ridge {

// The elements of a 32-bit word, the first in the lowest bits. Conversions to the type round to the
// nearest, ties to even.
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

// An 8-bit format with kMantissa stored bits of mantissa. Below 8.9 no hardware converts it.
template <int kMantissa, int kBias> struct SmallFloat {
    // The largest finite value: e4m3 has no infinities and keeps one code for NaN, e5m2 has both.
    static constexpr float kLargest = kMantissa == 3 ? 448.0f : 57344.0f;

    static __device__ __forceinline__ float decode(unsigned code) {
        const unsigned magnitude = code & 0x7fu;
        constexpr unsigned kNan = kMantissa == 3 ? 0x7fu : 0x7du;
        // The exponent in the place of single precision's, its bias made up for by a multiplication,
        // which is exact and knows subnormals.
        float value = __uint_as_float(magnitude << (23 - kMantissa)) * __uint_as_float((254u - kBias) << 23);
        if (kMantissa == 2 && magnitude == 0x7cu) value = __int_as_float(0x7f800000);
        if (magnitude >= kNan) value = __int_as_float(0x7fffffff);
        return (code & 0x80u) == 0 ? value : -value;
    }

    // Beyond the largest finite value, infinities included, it is that value.
    static __device__ __forceinline__ unsigned encode(float value) {
        if (value != value) return 0x7fu;
        const unsigned sign = __float_as_uint(value) >> 31 << 7;
        const float magnitude = fminf(fabsf(value), kLargest);
        constexpr float kLeastNormal = kMantissa == 3 ? 0.015625f : 6.103515625e-05f;
        if (magnitude < kLeastNormal) {
            // A count of the least subnormal; one more than the largest count is the least normal.
            return sign | unsigned(rintf(magnitude * float(1 << kMantissa) / kLeastNormal));
        }
        unsigned bits = __float_as_uint(magnitude);
        bits += (1u << (22 - kMantissa)) - 1 + ((bits >> (23 - kMantissa)) & 1u);
        return sign | ((bits >> (23 - kMantissa)) - ((127u - kBias) << kMantissa));
    }
};

template <> struct Format<__nv_fp8_e4m3> {
    static constexpr int kElements = 4;
    static constexpr float kLargest = SmallFloat<3, 7>::kLargest;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
#if __CUDA_ARCH__ >= 890
        unsigned low, high;
        asm("{.reg .b16 a, b;\n mov.b32 {a, b}, %2;\n cvt.rn.f16x2.e4m3x2 %0, a;\n cvt.rn.f16x2.e4m3x2 %1, b;}"
            : "=r"(low), "=r"(high) : "r"(word));
        Format<__half>::unpack(low, values);
        Format<__half>::unpack(high, values + 2);
#else
        for (int i = 0; i < 4; ++i) values[i] = SmallFloat<3, 7>::decode(word >> (8 * i) & 0xffu);
#endif
    }
    // Beyond +-448 it is that.
    static __device__ __forceinline__ unsigned pack(const float* values) {
#if __CUDA_ARCH__ >= 890
        unsigned word;
        asm("{.reg .b16 a, b;\n cvt.rn.satfinite.e4m3x2.f32 a, %2, %1;\n cvt.rn.satfinite.e4m3x2.f32 b, %4, %3;\n"
            " mov.b32 %0, {a, b};}"
            : "=r"(word) : "f"(values[0]), "f"(values[1]), "f"(values[2]), "f"(values[3]));
        return word;
#else
        unsigned word = 0;
        for (int i = 0; i < 4; ++i) word |= SmallFloat<3, 7>::encode(values[i]) << (8 * i);
        return word;
#endif
    }
};

template <> struct Format<__nv_fp8_e5m2> {
    static constexpr int kElements = 4;
    static constexpr float kLargest = SmallFloat<2, 15>::kLargest;
    static __device__ __forceinline__ void unpack(unsigned word, float* values) {
#if __CUDA_ARCH__ >= 890
        unsigned low, high;
        asm("{.reg .b16 a, b;\n mov.b32 {a, b}, %2;\n cvt.rn.f16x2.e5m2x2 %0, a;\n cvt.rn.f16x2.e5m2x2 %1, b;}"
            : "=r"(low), "=r"(high) : "r"(word));
        Format<__half>::unpack(low, values);
        Format<__half>::unpack(high, values + 2);
#else
        for (int i = 0; i < 4; ++i) values[i] = SmallFloat<2, 15>::decode(word >> (8 * i) & 0xffu);
#endif
    }
    // Beyond +-57344 it is that.
    static __device__ __forceinline__ unsigned pack(const float* values) {
#if __CUDA_ARCH__ >= 890
        unsigned word;
        asm("{.reg .b16 a, b;\n cvt.rn.satfinite.e5m2x2.f32 a, %2, %1;\n cvt.rn.satfinite.e5m2x2.f32 b, %4, %3;\n"
            " mov.b32 %0, {a, b};}"
            : "=r"(word) : "f"(values[0]), "f"(values[1]), "f"(values[2]), "f"(values[3]));
        return word;
#else
        unsigned word = 0;
        for (int i = 0; i < 4; ++i) word |= SmallFloat<2, 15>::encode(values[i]) << (8 * i);
        return word;
#endif
    }
};

}  // namespace ridge
