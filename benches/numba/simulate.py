"""Runs rmsnorm_scalar in Numba's CUDA simulator and prints elements per second as JSON.

Needs numba and numpy. The simulator gives every CUDA thread a thread of the host's.
"""

import json
import os
import sys
import time

os.environ["NUMBA_ENABLE_CUDASIM"] = "1"

import numpy as np
from numba import cuda, float32


@cuda.jit
def rmsnorm_scalar(x, weight, y, cols, eps):
    partial = cuda.shared.array(128, float32)
    thread = cuda.threadIdx.x
    start = cuda.blockIdx.x * cols
    total = float32(0.0)
    for col in range(thread, cols, 128):
        value = x[start + col]
        total += value * value
    partial[thread] = total
    cuda.syncthreads()
    half = 64
    while half > 0:
        if thread < half:
            partial[thread] += partial[thread + half]
        cuda.syncthreads()
        half //= 2
    scale = float32(1.0) / (partial[0] / cols + eps) ** 0.5
    for col in range(thread, cols, 128):
        y[start + col] = x[start + col] * scale * weight[col]


def main():
    rows, cols = int(sys.argv[1]), int(sys.argv[2])
    generator = np.random.default_rng(0)
    x = generator.standard_normal(rows * cols).astype(np.float32)
    weight = generator.standard_normal(cols).astype(np.float32)
    y = np.zeros_like(x)
    rmsnorm_scalar[1, 128](x[:cols], weight, y[:cols], cols, np.float32(1e-6))
    started = time.perf_counter()
    rmsnorm_scalar[rows, 128](x, weight, y, cols, np.float32(1e-6))
    seconds = time.perf_counter() - started
    wide = x.astype(np.float64).reshape(rows, cols)
    expected = wide / np.sqrt((wide**2).mean(axis=1, keepdims=True) + 1e-6) * weight
    error = float(np.abs(y.reshape(rows, cols) - expected).max())
    print(json.dumps({"seconds": seconds, "elements": rows * cols, "largest_error": error}))


if __name__ == "__main__":
    main()
