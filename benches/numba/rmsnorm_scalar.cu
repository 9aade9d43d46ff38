// The plainest rms norm: scalar loads, a shared-memory tree, one block a row. The same algorithm,
// line by line, as rmsnorm_scalar in simulate.py, so that two emulators run the same work.

extern "C" __global__ void rmsnorm_scalar(const float* x, const float* weight, float* y, int cols, float eps) {
    __shared__ float partial[128];
    const int thread = threadIdx.x;
    const int start = blockIdx.x * cols;
    float sum = 0.0f;
    for (int col = thread; col < cols; col += 128) {
        const float value = x[start + col];
        sum += value * value;
    }
    partial[thread] = sum;
    __syncthreads();
    for (int half = 64; half > 0; half /= 2) {
        if (thread < half) partial[thread] += partial[thread + half];
        __syncthreads();
    }
    const float scale = 1.0f / sqrtf(partial[0] / cols + eps);
    for (int col = thread; col < cols; col += 128) {
        y[start + col] = x[start + col] * scale * weight[col];
    }
}
