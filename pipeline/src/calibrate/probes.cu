// What `ridge doctor --calibrate` times. `m` is the memory that is read and written, `out` takes
// results, so that nothing is optimised away and everything can be checked. `n` counts vectors of
// 16 bytes.

// Vectors that a thread has in flight.
constexpr int IN_FLIGHT = 4;

// The exclusive or of a warp's values.
__device__ __forceinline__ unsigned warp_xor(unsigned value)
{
    for (int lane = 16; lane > 0; lane /= 2) {
        value ^= __shfl_xor_sync(0xffffffffu, value, lane);
    }
    return value;
}

__device__ __forceinline__ unsigned folded(uint4 v)
{
    return v.x ^ v.y ^ v.z ^ v.w;
}

__device__ __forceinline__ uint4 both(uint4 a, uint4 b)
{
    return make_uint4(a.x ^ b.x, a.y ^ b.y, a.z ^ b.z, a.w ^ b.w);
}

__device__ __forceinline__ unsigned warp_of_grid()
{
    return (blockIdx.x * blockDim.x + threadIdx.x) / 32;
}

// `READS` arrays of n vectors, and behind them `WRITES` arrays of as many.
template <int READS, int WRITES>
__device__ __forceinline__ uint4 fetched(const uint4* m, long long i, long long n)
{
    if constexpr (READS == 0) {
        const unsigned word = static_cast<unsigned>(i);
        return make_uint4(word, ~word, word ^ 0x5bd1e995u, word * 0x9e3779b9u);
    } else if constexpr (READS == 1) {
        return m[i];
    } else {
        return both(m[i], m[n + i]);
    }
}

template <int READS, int WRITES>
__device__ __forceinline__ void stored(uint4* m, long long i, long long n, uint4 v)
{
    if constexpr (WRITES > 0) {
        m[READS * n + i] = v;
    }
    if constexpr (WRITES > 1) {
        m[(READS + 1) * n + i] = make_uint4(~v.x, ~v.y, ~v.z, ~v.w);
    }
}

// Streams through memory, each vector once.
template <int READS, int WRITES>
__global__ void __launch_bounds__(256) stream(uint4* m, unsigned* out, long long n)
{
    const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
    long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    unsigned sum = 0;
    for (; i + (IN_FLIGHT - 1) * stride < n; i += IN_FLIGHT * stride) {
        uint4 v[IN_FLIGHT];
#pragma unroll
        for (int k = 0; k < IN_FLIGHT; ++k) {
            v[k] = fetched<READS, WRITES>(m, i + k * stride, n);
        }
#pragma unroll
        for (int k = 0; k < IN_FLIGHT; ++k) {
            stored<READS, WRITES>(m, i + k * stride, n, v[k]);
            sum ^= folded(v[k]);
        }
    }
    for (; i < n; i += stride) {
        const uint4 v = fetched<READS, WRITES>(m, i, n);
        stored<READS, WRITES>(m, i, n, v);
        sum ^= folded(v);
    }
    if constexpr (WRITES == 0) {
        sum = warp_xor(sum);
        if (threadIdx.x % 32 == 0) {
            out[warp_of_grid()] = sum;
        }
    }
}

// Reads the same memory again and again, past the first-level cache, each time by other blocks.
__global__ void __launch_bounds__(256) passes(const uint4* m, unsigned* out, long long n, int count)
{
    const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
    unsigned sum = 0;
    for (int pass = 0; pass < count; ++pass) {
        const unsigned block = (blockIdx.x + 37u * pass) % gridDim.x;
        long long i = static_cast<long long>(block) * blockDim.x + threadIdx.x;
        for (; i + (IN_FLIGHT - 1) * stride < n; i += IN_FLIGHT * stride) {
            uint4 v[IN_FLIGHT];
#pragma unroll
            for (int k = 0; k < IN_FLIGHT; ++k) {
                v[k] = __ldcg(m + i + k * stride);
            }
#pragma unroll
            for (int k = 0; k < IN_FLIGHT; ++k) {
                sum ^= folded(v[k]);
            }
        }
        for (; i < n; i += stride) {
            sum ^= folded(__ldcg(m + i));
        }
    }
    sum = warp_xor(sum);
    if (threadIdx.x % 32 == 0) {
        out[warp_of_grid()] = sum;
    }
}

// One vector a thread in flight: the next address depends on what was read. `zero` is 0, which the
// compiler does not know.
__global__ void trips(const uint4* m, unsigned* out, long long n, int count, int zero)
{
    const long long stride = static_cast<long long>(gridDim.x) * blockDim.x;
    long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    unsigned sum = 0;
    for (int trip = 0; trip < count; ++trip) {
        const uint4 v = m[i];
        sum ^= folded(v);
        i += stride + (v.x & zero);
        if (i >= n) {
            i -= n;
        }
    }
    sum = warp_xor(sum);
    if (threadIdx.x % 32 == 0) {
        out[warp_of_grid()] = sum;
    }
}

// One thread goes from line to line as the words it finds say. `mask` is one less than the number
// of lines, a power of two. Where `warm` is set, all lines are read before.
__global__ void chase(const unsigned* m, unsigned* out, unsigned mask, int steps, int warm)
{
    constexpr unsigned LINE_WORDS = 32;
    unsigned sum = 0;
    if (warm != 0) {
        for (unsigned line = threadIdx.x; line <= mask; line += blockDim.x) {
            sum ^= __ldcg(m + static_cast<unsigned long long>(line) * LINE_WORDS);
        }
    }
    out[1 + threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned line = 0;
        unsigned turn = 0;
        for (int step = 0; step < steps; ++step) {
            const unsigned found = __ldcg(m + static_cast<unsigned long long>(line) * LINE_WORDS);
            // Without the turn it would end in a short circle.
            line = (found + turn) & mask;
            turn += 0x9e3779b1u;
        }
        out[0] = line;
    }
}

__global__ void idle()
{
}

// Lets the next kernel start at once.
__global__ void trigger()
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Reads a block's worth, reduces it and writes one word: a row of a small kernel.
__device__ __forceinline__ void row(const uint4* m, unsigned* out, int item)
{
    __shared__ unsigned parts[32];
    const long long at = static_cast<long long>(item) * blockDim.x + threadIdx.x;
    const unsigned part = warp_xor(folded(__ldcg(m + at)));
    if (threadIdx.x % 32 == 0) {
        parts[threadIdx.x / 32] = part;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned sum = 0;
        for (unsigned warp = 0; warp < blockDim.x / 32; ++warp) {
            sum ^= parts[warp];
        }
        out[item] = sum;
    }
}

// A block for each row. Dynamic shared memory keeps a second block off the multiprocessor.
__global__ void one_shot(const uint4* m, unsigned* out)
{
    row(m, out, blockIdx.x);
}

// One wave of blocks for all rows.
__global__ void persistent(const uint4* m, unsigned* out, int items)
{
    for (int item = blockIdx.x; item < items; item += gridDim.x) {
        row(m, out, item);
        __syncthreads();
    }
}

// Barriers one after another, each between a store to shared memory and the loads that sum up.
template <int WARPS>
__global__ void __launch_bounds__(32 * WARPS) barriers(unsigned* out, int count)
{
    // Two of them, so that one barrier a round is enough.
    __shared__ __align__(16) unsigned parts[2][WARPS];
    const unsigned warp = threadIdx.x / 32;
    unsigned value = warp + 1;
    for (int round = 0; round < count; ++round) {
        if (threadIdx.x % 32 == 0) {
            parts[round & 1][warp] = value;
        }
        __syncthreads();
        unsigned sum = 0;
#pragma unroll
        for (int other = 0; other < WARPS; ++other) {
            sum += parts[round & 1][other];
        }
        value = sum + warp;
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

// Barriers of a cluster.
__global__ void clusters(unsigned* out, int count)
{
    unsigned rounds = 0;
    for (int round = 0; round < count; ++round) {
#if __CUDA_ARCH__ >= 900
        asm volatile("barrier.cluster.arrive.aligned;\n\tbarrier.cluster.wait.aligned;" ::: "memory");
#endif
        ++rounds;
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = rounds;
}

// Keeps every scheduler busy for a number of clocks.
__global__ void spin(unsigned* out, long long clocks)
{
    const long long start = clock64();
    float a = threadIdx.x;
    float b = 1.0f;
    do {
#pragma unroll
        for (int k = 0; k < 16; ++k) {
            a = fmaf(a, 0.5f, 1.0f);
            b = fmaf(b, 0.25f, 3.0f);
        }
    } while (clock64() - start < clocks);
    // Both stay finite: it is always 1.
    const unsigned fine = a + b < 1e30f ? 1u : 0u;
    if (threadIdx.x % 32 == 0) {
        out[warp_of_grid()] = fine;
    }
}
