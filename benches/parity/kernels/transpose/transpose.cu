// y[c][r] = x[r][c], a tile of 32 by 32 for a block of 32 by 8 threads.

enum class Way {
    strided_loads,   // a warp reads down a column and writes along a row
    strided_stores,  // a warp reads along a row and writes down a column
    tile,            // both along rows, through a tile in shared memory that is read down its columns
    async,           // the tile is filled by asynchronous copies of 4 bytes
    wide64,          // the tile is read and written 8 bytes at a time
    wide128,         // the same with 16 bytes
};

constexpr int kTile = 32;

template <typename W, int kPadding, int kCols>
__device__ __forceinline__ void transpose_wide(const float* x, float* y, int rows) {
    constexpr int kElements = sizeof(W) / sizeof(float);
    constexpr int kAcross = kTile / kElements;
    __shared__ __align__(16) float tile[kTile][kTile + kPadding * kElements];
    const int thread = threadIdx.y * kTile + threadIdx.x;
    const float* source = x + size_t(blockIdx.y * kTile) * kCols + blockIdx.x * kTile;
    float* target = y + size_t(blockIdx.x * kTile) * rows + blockIdx.y * kTile;
    for (int at = thread; at < kTile * kAcross; at += 256) {
        const int r = at / kAcross, c = at % kAcross * kElements;
        *reinterpret_cast<W*>(&tile[r][c]) = *reinterpret_cast<const W*>(source + size_t(r) * kCols + c);
    }
    __syncthreads();
    for (int at = thread; at < kTile * kAcross; at += 256) {
        const int r = at % kTile, c = at / kTile * kElements;
        union {
            W whole;
            float parts[kElements];
        } bits;
        bits.whole = *reinterpret_cast<const W*>(&tile[r][c]);
#pragma unroll
        for (int i = 0; i < kElements; ++i) target[size_t(c + i) * rows + r] = bits.parts[i];
    }
}

// kPadding accesses beyond a row of the tile: none puts its columns into one bank.
template <Way kWay, int kPadding, int kRows, int kCols>
__global__ void transpose(const float* x, float* y) {
    if constexpr (kWay == Way::wide64) {
        transpose_wide<float2, kPadding, kCols>(x, y, kRows);
    } else if constexpr (kWay == Way::wide128) {
        transpose_wide<float4, kPadding, kCols>(x, y, kRows);
    } else if constexpr (kWay == Way::strided_loads || kWay == Way::strided_stores) {
        for (int i = threadIdx.y; i < kTile; i += 8) {
            const bool is_along = kWay == Way::strided_stores;
            const int r = blockIdx.y * kTile + (is_along ? i : threadIdx.x);
            const int c = blockIdx.x * kTile + (is_along ? threadIdx.x : i);
            if (r < kRows && c < kCols) y[size_t(c) * kRows + r] = x[size_t(r) * kCols + c];
        }
    } else {
        __shared__ float tile[kTile][kTile + kPadding];
        for (int i = threadIdx.y; i < kTile; i += 8) {
            const int r = blockIdx.y * kTile + i, c = blockIdx.x * kTile + threadIdx.x;
            if constexpr (kWay == Way::async) {
                const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(&tile[i][threadIdx.x]));
                asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(to), "l"(x + size_t(r) * kCols + c) : "memory");
            } else {
                if (r < kRows && c < kCols) tile[i][threadIdx.x] = x[size_t(r) * kCols + c];
            }
        }
        if constexpr (kWay == Way::async) asm volatile("cp.async.commit_group;\ncp.async.wait_group 0;" ::: "memory");
        __syncthreads();
        for (int i = threadIdx.y; i < kTile; i += 8) {
            const int r = blockIdx.y * kTile + threadIdx.x, c = blockIdx.x * kTile + i;
            if (r < kRows && c < kCols) y[size_t(c) * kRows + r] = tile[threadIdx.x][i];
        }
    }
}
