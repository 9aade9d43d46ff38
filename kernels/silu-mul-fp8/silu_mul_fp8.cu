// SiLU gating quantised to fp8 (e4m3): gate * sigmoid(gate) * up, with one scale for each group of
// neighbouring elements.
//
// A group's elements lie in neighbouring lanes of one warp, so that its scale costs shuffles and no
// barrier. All loads of a thread are issued before the first is used.
#include <ridge/access.cuh>
#include <ridge/function.cuh>
#include <ridge/launch.cuh>
#include <ridge/number.cuh>
#include <ridge/reduce.cuh>

using namespace ridge;

constexpr float kLargest = Format<__nv_fp8_e4m3>::kLargest;
constexpr float kLeastMaximum = 1e-10f;  // a group of zeros has a scale, too

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kGroups, int kGroup, int kThreads, int kUnroll, int kVectorBytes, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    silu_mul_fp8(const T* gate, const T* up, __nv_fp8_e4m3* __restrict__ y, float* __restrict__ scale, int rows) {
    using V = Vector<T, kVectorBytes>;
    using W = typename V::W;
    using Quantised = Vector<__nv_fp8_e4m3, V::kElements>;
    constexpr int kValues = V::kValues > Quantised::kValues ? V::kValues : Quantised::kValues;
    constexpr int kLanes = kGroup / V::kElements;
    static_assert(kGroup % V::kElements == 0 && kLanes <= 32 && 32 % kLanes == 0, "a group is some lanes of one warp");
    const long long n_vectors = static_cast<long long>(rows) * (kGroups * kLanes);
    const W* gates = reinterpret_cast<const W*>(gate);
    const W* ups = reinterpret_cast<const W*>(up);
    auto* target = reinterpret_cast<typename Quantised::W*>(y);
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
        float values[kValues] = {}, factors[V::kValues];
        float maximum = 0.0f;
        if (at < n_vectors) {
            g[v].unpack(values);
            u[v].unpack(factors);
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) {
                values[i] = silu(values[i]) * factors[i];
                maximum = fmaxf(maximum, fabsf(values[i]));
            }
        }
        // A group is there as a whole or not at all, and every lane takes part.
        maximum = fmaxf(max_over_lanes<kLanes>(maximum), kLeastMaximum);
        if (at < n_vectors) {
            const float quantum = kLargest / maximum;
#pragma unroll
            for (int i = 0; i < V::kElements; ++i) values[i] *= quantum;
            Quantised::pack(values).store(target + at);
            if (threadIdx.x % kLanes == 0) scale[at / kLanes] = maximum * (1.0f / kLargest);
        }
    }
}
