"""Inputs and expected outputs of the library's kernels, in NumPy."""

import numpy

STORED = {"bf16": numpy.uint16, "f16": numpy.float16, "f32": numpy.float32}


def encode(values, dtype):
    """Single precision as the type's own bits; bfloat16, which NumPy lacks, rounded to nearest even."""
    if dtype != "bf16":
        return values.astype(STORED[dtype])
    bits = numpy.ascontiguousarray(values, dtype=numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def decode(stored, dtype):
    if dtype != "bf16":
        return stored.astype(numpy.float32)
    return (stored.astype(numpy.uint32) << 16).view(numpy.float32)


def poison(shape, dtype):
    """What an output holds before each candidate: NaN, so that an element nobody wrote is wrong."""
    return (
        encode(numpy.full(shape, numpy.nan, numpy.float32), dtype)
        if dtype != "bf16"
        else numpy.full(shape, 0x7FFF, numpy.uint16)
    )


def rmsnorm(inputs, scalars):
    x = inputs["x"].astype(numpy.float64)
    return {"y": x / numpy.sqrt((x * x).mean(axis=-1, keepdims=True) + scalars["eps"]) * inputs["weight"]}


def softmax(inputs, _):
    x = inputs["x"].astype(numpy.float64)
    shifted = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return {"y": shifted / shifted.sum(axis=-1, keepdims=True)}


def silu_mul(inputs, _):
    gate = inputs["gate"].astype(numpy.float64)
    return {"y": gate / (1 + numpy.exp(-gate)) * inputs["up"]}


KERNELS = {"rmsnorm": rmsnorm, "softmax": softmax, "silu-mul": silu_mul}


def problem(job):
    """The inputs as they are stored, and the expected outputs in single precision."""
    random = numpy.random.default_rng(job["seed"])
    stored = {
        name: encode(random.standard_normal(shape, dtype=numpy.float32), job["dtypes"][name])
        for name, shape in job["inputs"].items()
    }
    values = {name: decode(one, job["dtypes"][name]) for name, one in stored.items()}
    expected = KERNELS[job["kernel"]](values, job["scalars"])
    return stored, {name: one.astype(numpy.float32) for name, one in expected.items()}
