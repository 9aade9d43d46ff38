// GELU gating by the tanh approximation, as Gemma has it: gelu(gate) * up.
//
// All loads of a thread are issued before the first is used. A block has part of one row.
#include <ridge/function.cuh>
#include <ridge/gated.cuh>

using namespace ridge;

// x (1 + tanh(inner)) / 2 with inner = sqrt(2 / pi) (x + 0.044715 x^3), written as x sigmoid(2 inner),
// which does not cancel where tanh is near -1.
__device__ __forceinline__ float gelu(float value) {
    const float twice = 1.5957691216057308f * value * fmaf(0.044715f * value, value, 1.0f);
    return value * sigmoid(twice);
}

// At least kResidentWarps warps of a multiprocessor's registers; 0 leaves the number to the compiler.
template <typename T, int kCols, int kThreads, int kUnroll, int kVectorBytes, Pdl kPdl, int kResidentWarps>
__global__ void __launch_bounds__(kThreads, blocks_of(kResidentWarps, kThreads))
    gelu_tanh_mul(const T* gate, const T* up, T* __restrict__ y) {
    gate_part_of_row<T, kCols, kThreads, kUnroll, kVectorBytes, kPdl>(
        gate, up, y, [](float value) { return gelu(value); });
}
