// Accesses of up to 16 bytes, and how the elements of a row are dealt out to threads.
//
// Loads and stores are plain on purpose: cache hints make a kernel's time depend on what ran before
// it. An input that the kernel before may still be writing under programmatic launch must not be
// `const __restrict__`: it would be read through the path for constant data.
#pragma once

#include <ridge/number.cuh>

namespace ridge {

// The machine word that moves kBytes at once.
template <int kBytes> struct Word;
template <> struct Word<16> { using Type = uint4; };
template <> struct Word<8> { using Type = uint2; };
template <> struct Word<4> { using Type = unsigned int; };
template <> struct Word<2> { using Type = unsigned short; };
template <> struct Word<1> { using Type = unsigned char; };

// The widest access, at most `bytes`, that keeps every row of `row_bytes` aligned.
__host__ __device__ constexpr int access_width(int bytes, int row_bytes) {
    while (row_bytes % bytes != 0) bytes /= 2;
    return bytes;
}

// kBytes of consecutive elements.
template <typename T, int kBytes> struct Vector {
    static constexpr int kElements = kBytes / int(sizeof(T));
    static constexpr int kWords = (kBytes + 3) / 4;
    // Room for what `unpack` writes: whole words, so more than kElements below four bytes.
    static constexpr int kValues = kWords * Format<T>::kElements;
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
    // Values from kElements on are meaningless.
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

// One element.
template <typename T> __device__ __forceinline__ float load_element(const T* from) {
    using V = Vector<T, int(sizeof(T))>;
    float values[V::kValues];
    V::load(reinterpret_cast<const typename V::W*>(from)).unpack(values);
    return values[0];
}
template <typename T> __device__ __forceinline__ void store_element(T* to, float value) {
    using V = Vector<T, int(sizeof(T))>;
    float values[V::kValues] = {value};
    V::pack(values).store(reinterpret_cast<typename V::W*>(to));
}

// kCount elements, a power of two, by accesses of at most 16 bytes; aligned to the access.
template <typename T, int kCount> struct Run {
    static constexpr int kBytes = kCount * int(sizeof(T)) < 16 ? kCount * int(sizeof(T)) : 16;
    using V = Vector<T, kBytes>;
    using W = typename V::W;
    static constexpr int kVectors = kCount / V::kElements;
    // Room for what `load` writes.
    static constexpr int kValues = kVectors * V::kValues;

    static __device__ __forceinline__ void load(const T* from, float* values) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            V::load(reinterpret_cast<const W*>(from) + v).unpack(values + v * V::kElements);
        }
    }
    static __device__ __forceinline__ void store(T* to, const float* values) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            V::pack(values + v * V::kElements).store(reinterpret_cast<W*>(to) + v);
        }
    }
};

// How kThreads threads share a row of kCols elements: thread `t` has the accesses t, t + kThreads, ….
template <typename T, int kCols, int kThreads, int kVectorBytes> struct RowLayout {
    // Of one access; narrower than kVectorBytes where the row's length asks for it.
    static constexpr int kWidth = access_width(kVectorBytes, kCols * int(sizeof(T)));
    using V = Vector<T, kWidth>;
    using W = typename V::W;
    static constexpr int kElements = V::kElements;
    static constexpr int kValues = V::kValues;
    // Accesses of the row, and of a thread at most.
    static constexpr int kRowVectors = kCols / kElements;
    static constexpr int kVectors = (kRowVectors + kThreads - 1) / kThreads;
    static constexpr bool kRagged = kRowVectors % kThreads != 0;

    // The access that thread `thread` makes in its turn `v`, and whether the row has it.
    static __device__ __forceinline__ int at(int v, int thread) { return v * kThreads + thread; }
    static __device__ __forceinline__ bool exists(int v, int thread) {
        return (v + 1 < kVectors || !kRagged) || at(v, thread) < kRowVectors;
    }
};

}  // namespace ridge
