// One AdamW step on a flat parameter: new weights and new moments, from one reading of everything.
//
// All loads of a thread are issued before the first is used. The moments are single precision, whatever the
// weights are. Divisions and roots are rounded as IEEE asks: the step is bound by memory all the same.
#include <ridge/access.cuh>
#include <ridge/launch.cuh>

using namespace ridge;

// What is the same for all elements.
struct Step {
    float rate;            // the learning rate over the first moment's correction
    float shrink;          // what the decay leaves of a weight
    float beta_first;
    float beta_second;
    float root_correction;  // one over the root of the second moment's correction
    float eps;
};

// New moments in place of the old, and the new weight.
__device__ __forceinline__ float stepped(const Step& step, float weight, float gradient, float& first, float& second) {
    first = fmaf(step.beta_first, first, (1.0f - step.beta_first) * gradient);
    // No moment of squares is negative. One that is counts by its size, and cancels nothing.
    second = fmaf(step.beta_second, fabsf(second), (1.0f - step.beta_second) * gradient * gradient);
    const float spread = fmaf(sqrtf(second), step.root_correction, step.eps);
    return fmaf(weight, step.shrink, -step.rate * (first / spread));
}

// kElements neighbouring elements as they are stored: half the registers of what they are converted to.
template <typename T, int kElements> struct Stored {
    using V = typename Run<T, kElements>::V;
    static constexpr int kVectors = Run<T, kElements>::kVectors;
    V vectors[kVectors];

    __device__ __forceinline__ void load(const T* from) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) vectors[v] = V::load(reinterpret_cast<const typename V::W*>(from) + v);
    }
    __device__ __forceinline__ void unpack(float* values) const {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) vectors[v].unpack(values + v * V::kElements);
    }
};

template <typename T, int kElements> struct Share {
    Stored<T, kElements> weight, gradient;
    Stored<float, kElements> first, second;
};

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kThreads, int kElements, int kUnroll, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    adamw(const T* weight, const T* gradient, const float* first, const float* second, T* __restrict__ new_weight,
          float* __restrict__ new_first, float* __restrict__ new_second, long long n, float rate, float beta_first,
          float beta_second, float decay, float correction_first, float correction_second, float eps) {
    const long long start = (static_cast<long long>(blockIdx.x) * (kThreads * kUnroll) + threadIdx.x) * kElements;
    const Step step = {rate / correction_first, fmaf(-rate, decay, 1.0f), beta_first, beta_second,
                       1.0f / sqrtf(correction_second), eps};

    if constexpr (kPdl == Pdl::early) allow_next_kernel();
    if constexpr (kPdl != Pdl::off) wait_for_kernel_before();

    Share<T, kElements> shares[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
        const long long at = start + static_cast<long long>(u) * (kThreads * kElements);
        if (at + kElements <= n) {
            shares[u].gradient.load(gradient + at);
            shares[u].weight.load(weight + at);
            shares[u].first.load(first + at);
            shares[u].second.load(second + at);
        }
    }
    if constexpr (kPdl == Pdl::late) allow_next_kernel();
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
        const long long at = start + static_cast<long long>(u) * (kThreads * kElements);
        if (at + kElements <= n) {
            float weights[kElements], gradients[kElements], firsts[kElements], seconds[kElements];
            shares[u].weight.unpack(weights);
            shares[u].gradient.unpack(gradients);
            shares[u].first.unpack(firsts);
            shares[u].second.unpack(seconds);
#pragma unroll
            for (int i = 0; i < kElements; ++i) {
                weights[i] = stepped(step, weights[i], gradients[i], firsts[i], seconds[i]);
            }
            Run<T, kElements>::store(new_weight + at, weights);
            Run<float, kElements>::store(new_first + at, firsts);
            Run<float, kElements>::store(new_second + at, seconds);
        } else {
            // What is left at the end, fewer than kElements.
            for (long long i = at; i < n; ++i) {
                float one = first[i], other = second[i];
                store_element(new_weight + i, stepped(step, load_element(weight + i), load_element(gradient + i), one, other));
                new_first[i] = one;
                new_second[i] = other;
            }
        }
    }
}
