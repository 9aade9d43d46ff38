"""The peers: torch eager, torch.compile, Liger and QuACK, each as a function of one set of inputs.

A builder answers `{name: function}`; a function takes the inputs by name and returns the outputs by name.
What cannot be imported or built is left out, with the reason.
"""

import functools

from cases import EPS, FP8_MAX, GROUP


def _eager(torch):
    functional = torch.nn.functional

    def rmsnorm(x, weight):
        return {"y": functional.rms_norm(x, x.shape[-1:], weight, EPS)}

    def add_rmsnorm(x, weight, residual):
        total = x + residual
        return {"sum": total, "y": functional.rms_norm(total, x.shape[-1:], weight, EPS)}

    def rmsnorm_fp8(x, weight):
        normal = functional.rms_norm(x.float(), x.shape[-1:], weight.float(), EPS)
        scale = normal.abs().amax(-1, keepdim=True) / FP8_MAX
        return {"y": (normal / scale).to(torch.float8_e4m3fn), "scale": scale.squeeze(-1)}

    def layernorm(x, weight, bias):
        return {"y": functional.layer_norm(x, x.shape[-1:], weight, bias, EPS)}

    def softmax(x):
        return {"y": torch.softmax(x, -1)}

    def silu_mul(gate, up):
        return {"y": functional.silu(gate) * up}

    def silu_mul_fp8(gate, up):
        gated = (functional.silu(gate.float()) * up.float()).unflatten(-1, (-1, GROUP))
        scale = gated.abs().amax(-1, keepdim=True) / FP8_MAX
        return {"y": (gated / scale).to(torch.float8_e4m3fn).flatten(-2), "scale": scale.squeeze(-1)}

    def cross_entropy(x, target):
        return {"loss": functional.cross_entropy(x.float(), target, reduction="none")}

    return locals()


def _hf_eager(torch):
    """The module that models ship with: one operation after the other, in single precision."""

    def rmsnorm(x, weight):
        wide = x.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPS)
        return {"y": weight * wide.to(x.dtype)}

    return locals()


def _compiled(torch, mode):
    import torch._dynamo

    torch._dynamo.reset()
    # One function a shape: nothing is left to guards on dynamic sizes.
    wrap = functools.partial(torch.compile, dynamic=False, mode=mode)
    return {name: wrap(function) for name, function in _eager(torch).items() if callable(function)}


def _liger():
    from liger_kernel.ops.fused_add_rms_norm import fused_add_rms_norm_forward
    from liger_kernel.ops.layer_norm import layer_norm_forward
    from liger_kernel.ops.rms_norm import rms_norm_forward
    from liger_kernel.ops.softmax import _softmax_forward
    from liger_kernel.ops.swiglu import swiglu_forward

    def first(result):
        return result[0] if isinstance(result, tuple) else result

    def rmsnorm(x, weight):
        return {"y": first(rms_norm_forward(x, weight, EPS, 0.0, "llama", None))}

    def add_rmsnorm(x, weight, residual):
        y, total = fused_add_rms_norm_forward(x, residual, weight, EPS, 0.0, "llama")[:2]
        return {"sum": total, "y": y}

    def layernorm(x, weight, bias):
        return {"y": first(layer_norm_forward(x, weight, bias, EPS))}

    def softmax(x):
        return {"y": first(_softmax_forward(x))}

    def silu_mul(gate, up):
        result = swiglu_forward(gate, up)
        # It answers its inputs too, before the output.
        return {"y": result[-1] if isinstance(result, tuple) else result}

    return {name: value for name, value in locals().items() if name != "first"}


def _quack(torch):
    from quack.cross_entropy import cross_entropy_fwd
    from quack.rmsnorm import layernorm_fwd, rmsnorm_fwd
    from quack.softmax import softmax_fwd

    @functools.cache
    def single(weight):
        return weight.float()

    def rmsnorm(x, weight):
        return {"y": rmsnorm_fwd(x, weight, eps=EPS)[0]}

    def add_rmsnorm(x, weight, residual):
        y, total, _ = rmsnorm_fwd(x, weight, residual=residual, eps=EPS)
        return {"sum": total, "y": y}

    def layernorm(x, weight, bias):
        # It wants its weights in single precision; they are converted once, outside the timed calls.
        return {"y": layernorm_fwd(x, single(weight), single(bias), eps=EPS)}

    def softmax(x):
        return {"y": softmax_fwd(x)}

    def cross_entropy(x, target):
        return {"loss": cross_entropy_fwd(x, target)}

    return {name: value for name, value in locals().items() if name not in ("single", "torch")}


def peers(torch, wanted, operation):
    """`{contender: function}` of those wanted that know the operation, and `{contender: reason}`."""
    builders = {
        "torch": lambda: _eager(torch),
        "hf eager": lambda: _hf_eager(torch),
        "compile": lambda: _compiled(torch, "default"),
        "compile max": lambda: _compiled(torch, "max-autotune-no-cudagraphs"),
        "liger": _liger,
        "quack": lambda: _quack(torch),
    }
    found, missing = {}, {}
    for name in wanted:
        try:
            functions = builders[name]()
        except Exception as error:  # noqa: BLE001 (any peer may fail to import for reasons of its own)
            missing[name] = f"{type(error).__name__}: {error}"
            continue
        function = functions.get(operation)
        if callable(function):
            found[name] = function
    return found, missing


WANTED = ("torch", "hf eager", "compile", "compile max", "liger", "quack")
