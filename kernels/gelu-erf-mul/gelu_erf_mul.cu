// GELU gating by the error function: gelu(gate) * up.
//
// All loads of a thread are issued before the first is used. A block has part of one row.
#include <ridge/function.cuh>
#include <ridge/gated.cuh>

using namespace ridge;

// How the normal distribution is found: by CUDA's `erfcf`, or by a polynomial, in a third of the instructions.
enum class Erf { library, polynomial };

// What the normal distribution has beyond `distance`, which is erfc(z) / 2 with z = |distance| / sqrt(2), as
// u 2^(p(u) - z^2 log2(e)) with u = 1 / (2 + z). The coefficients of p are the best for z up to 10, beyond which
// single precision has nothing left: a relative error of 8e-6, and of 7e-7 with the two terms more that single
// precision takes.
template <bool kSingle> __device__ __forceinline__ float normal_tail(float distance) {
    const float u = reciprocal(fmaf(0.70710678118654752f, fabsf(distance), 2.0f));
    float sum;
    if constexpr (kSingle) {
        sum = fmaf(-33.9161797f, u, 67.7720261f);
        sum = fmaf(sum, u, -44.7875481f);
        sum = fmaf(sum, u, 7.407969f);
        sum = fmaf(sum, u, -0.279187262f);
        sum = fmaf(sum, u, 2.24632835f);
        sum = fmaf(sum, u, 2.88345003f);
        sum = fmaf(sum, u, -1.82576454f);
    } else {
        sum = fmaf(10.5624428f, u, -16.3704224f);
        sum = fmaf(sum, u, 5.47644091f);
        sum = fmaf(sum, u, 1.4683224f);
        sum = fmaf(sum, u, 2.93736792f);
        sum = fmaf(sum, u, -1.82723355f);
    }
    return u * exp2_fast(fmaf(-0.72134752044448170f * distance, distance, sum));
}

template <Erf kErf, bool kSingle> __device__ __forceinline__ float gelu(float value) {
    if constexpr (kErf == Erf::library) return 0.5f * value * erfcf(-0.70710678118654752f * value);
    const float tail = normal_tail<kSingle>(value);
    return value * (value < 0.0f ? tail : 1.0f - tail);
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Erf kErf, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    gelu_erf_mul(const T* gate, const T* up, T* __restrict__ y) {
    gate_part_of_row<T, kCols, kThreads, kUnroll, kVectorBytes, kPdl>(
        gate, up, y, [](float value) { return gelu<kErf, sizeof(T) == 4>(value); });
}
