// y[c] = sum over r of x[r][c]: a block has 32 columns to itself, and adds element by element.

enum class Where { global, shared };

// kCrowd lanes of a warp are on the same column, in rows that follow each other.
template <Where kWhere, int kCrowd, int kCols>
__global__ void column_counts(const int* x, int* y, int rows) {
    __shared__ int sums[32];
    const int first = blockIdx.x * 32;
    int* target = kWhere == Where::shared ? sums : y + first;
    if (threadIdx.x < 32) target[threadIdx.x] = 0;
    __syncthreads();
    // The warps of a block take turns at the rows, kCrowd at a time.
    constexpr int kAcross = 32 / kCrowd;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int r = warp * kCrowd + lane / kAcross; r < rows; r += 8 * kCrowd) {
        for (int c = lane % kAcross; c < 32; c += kAcross) {
            atomicAdd(target + c, x[size_t(r) * kCols + first + c]);
        }
    }
    if constexpr (kWhere == Where::shared) {
        __syncthreads();
        if (threadIdx.x < 32) y[first + threadIdx.x] = sums[threadIdx.x];
    }
}
