"""Between a caller's tensors and the declared ones; needs torch."""

import torch


def run_reference(run, manifest, signature, arguments, binding):
    """`reference.run` on tensors of the declared shapes; outputs with the caller's dimensions."""
    flat = (
        argument if value.shape is None else signature.flat(value, argument, binding)
        for value, argument in zip(manifest.inputs, arguments)
    )
    results = run(*flat)
    several = isinstance(results, tuple)
    results = tuple(
        result.reshape(signature.output_shape(value, binding))
        for value, result in zip(manifest.outputs, results if several else (results,))
    )
    return results if several else results[0]


def copy_outputs(results, out, function):
    """Copies results into the caller's tensors and returns those.

    function: who says what is wrong. Raises TypeError or ValueError where they are not of the
    results' number, shape, dtype and device.
    """
    several = isinstance(results, tuple)
    targets = tuple(out) if isinstance(out, (tuple, list)) else (out,)
    results = results if several else (results,)
    if len(targets) != len(results):
        raise ValueError(f"{function}: `out` must be {len(results)} tensors, got {len(targets)}")
    for target, result in zip(targets, results):
        if not isinstance(target, torch.Tensor):
            kind = type(target).__name__
            raise TypeError(f"{function}: `out` must be a torch.Tensor, got {kind}")
        if target.shape != result.shape or target.dtype != result.dtype:
            raise ValueError(
                f"{function}: `out` must have shape {list(result.shape)} and be {result.dtype}, "
                f"got {list(target.shape)} and {target.dtype}"
            )
        if target.device != result.device:
            raise ValueError(
                f"{function}: `out` must be on {result.device}, got {target.device}"
            )
        target.copy_(result)
    return targets if several else targets[0]
