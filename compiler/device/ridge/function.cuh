// Functions by the hardware's approximations: a few units in the last place of single precision.
#pragma once

namespace ridge {

// Minus infinity: the maximum of nothing.
__device__ __forceinline__ float lowest() { return __int_as_float(0xff800000); }

__device__ __forceinline__ float exp2_fast(float value) {
    float result;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}

__device__ __forceinline__ float reciprocal(float value) {
    float result;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}

// The natural logarithm; infinity of infinity, minus infinity of 0.
__device__ __forceinline__ float logarithm(float value) {
    float result;
    asm("lg2.approx.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result * 0.6931471805599453f;
}

// e^(value - subtracted). Folding the factor into one multiplication and addition would overflow
// for values that a 16-bit type still holds.
__device__ __forceinline__ float exponential(float value, float subtracted = 0.0f) {
    return exp2_fast((value - subtracted) * 1.4426950408889634f);
}

// What to subtract from values that are at most `maximum`: inf - inf is not a number, and the
// exponential of minus infinity is 0 whatever is subtracted.
__device__ __forceinline__ float subtrahend(float maximum) { return maximum == lowest() ? 0.0f : maximum; }

__device__ __forceinline__ float sigmoid(float value) { return reciprocal(1.0f + exponential(-value)); }
__device__ __forceinline__ float silu(float value) { return value * sigmoid(value); }

}  // namespace ridge
