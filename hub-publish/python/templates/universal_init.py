"""@kernel@: @description@

The kernel's mathematics in plain torch, for any device. The variant for NVIDIA GPUs in the same
repository has the same functions and runs tuned kernels.
"""

from pathlib import Path as _Path

from ._ridge import universal_kernel as _universal_kernel

_kernel = _universal_kernel(_Path(__file__).parent, __name__)


def @function@(@parameters@, *, out=None) -> @returns@:
    """@description@

@documentation@
    out: tensors to write into instead of new ones.
    """
    return _kernel.call((@arguments@,), out)


def why(@parameters@, *, device=None):
    """Always the mathematics in torch: the answer has `rule`, `entry` and `reason`."""
    return _kernel.why((@arguments@,), device)


def chain():
    """A context that changes nothing: it is for the variant with kernels."""
    return _kernel.chain()


try:
    @imports@
except ModuleNotFoundError as _error:
    # Layers are torch's; without it the rest can still be looked at.
    if _error.name != "torch":
        raise

__all__ = [_name for _name in (@exports@,) if _name in globals()]
