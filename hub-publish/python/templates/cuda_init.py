"""@kernel@: @description@

Compiled and tuned kernels for NVIDIA GPUs, made by Ridge. A call takes the kernel that was measured
fastest for its shape and device; `why(...)` says which and by which rule. Where none fits, the
call runs the same mathematics in torch and warns once.
"""

from pathlib import Path as _Path

from torch.compiler import is_dynamo_compiling as _is_compiling

from ._ridge import cuda_kernel as _cuda_kernel
from ._ridge.tensors import copy_outputs as _copy_outputs

_kernel = _cuda_kernel(_Path(__file__).parent, __name__)
_call = _kernel.call
_operator = _kernel.operator


def @function@(@parameters@, *, out=None) -> @returns@:
    """@description@

@documentation@
    out: tensors to write into instead of new ones.

    No backward: inputs that require gradients are refused while gradients are recorded.
    """
    if _is_compiling():
        result = _operator(@arguments@)
        return result if out is None else _copy_outputs(result, out, "@function@")
    return _call(@arguments@, out)


def why(@parameters@, *, device=None):
    """Which kernel `@function@` would run for these arguments, and by which rule.

    `device` stands for another GPU than that of the tensors: `("NVIDIA H200", (9, 0))`.
    The answer has `rule`, `entry` and `reason`, and reads as a sentence.
    """
    return _kernel.why((@arguments@,), device)


def chain():
    """A context in which `@function@` follows kernels that let the next one start early.

    Ridge's kernels that are launched programmatically do so; torch's do not. A call in it takes the
    kernel that was fastest in launches back to back, any other call the one that was fastest behind
    a kernel that triggers nothing, where these are two. Both are right; they may differ in the last
    bits. It holds for this thread and task, and for compiled functions that are called in it.
    """
    return _kernel.chain


@imports@

__all__ = [@exports@]
