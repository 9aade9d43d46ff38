"""Inputs to try a kernel with, and the error of what it returns; for tests and benchmarks."""

import torch

from .signature import Signature

_FLOATS = ("f64", "f32", "f16", "bf16", "f8e4m3", "f8e5m2")


def arguments(manifest, axes, types, device, seed=0):
    """Random arguments for extents and types: normal floats, small integers, valid indices.

    Scalars have their defaults, else 1.
    """
    signature = Signature(manifest, torch)
    extents = signature.extents(axes)
    generator = torch.Generator(device=device).manual_seed(seed)
    values = []
    for value in manifest.inputs:
        if value.shape is None:
            values.append(1 if value.default is None else value.default)
            continue
        shape = tuple(extents[axis] for axis in value.shape)
        word = types.get(value.dtype, value.dtype)
        dtype = signature.dtype(value.dtype, types)
        if word in _FLOATS:
            made = torch.randn(shape, generator=generator, device=device)
        else:
            low, high = (0, extents[value.index_of]) if value.index_of else (0, 2)
            made = torch.randint(low, high, shape, generator=generator, device=device)
        values.append(made.to(dtype))
    return tuple(
        signature.scalar(value, item) if value.shape is None else item
        for value, item in zip(manifest.inputs, values)
    )


def error(manifest, results, expected):
    """The worst error in units of the tolerance: 1 is the most that passes.

    As Ridge compares: an element fails where it exceeds the absolute and the relative tolerance
    both; NaN and infinities must be in the same places.
    """
    own = manifest.tolerance.get("outputs", {})
    worst = 0.0
    for output, result, reference in zip(manifest.outputs, _tuple(results), _tuple(expected)):
        tolerance = own.get(output.name, manifest.tolerance)
        absolute, relative = tolerance["absolute"], tolerance["relative"]
        result, reference = result.double(), reference.double()
        same = (result == reference) | (result.isnan() & reference.isnan())
        allowed = (reference.abs() * relative).clamp(min=absolute)
        units = torch.where(same, 0.0, (result - reference).abs() / allowed)
        if units.numel():
            worst = max(worst, units.nan_to_num(nan=float("inf")).max().item())
    return worst


def _tuple(value):
    return value if isinstance(value, tuple) else (value,)
