"""The peers: torch eager, torch.compile, Liger and QuACK, each as a function of one set of inputs.

A builder answers `{operation: function}`; a function takes the inputs by name and returns the outputs by name.
What cannot be imported or built is left out, with the reason. The functions may keep what they convert once:
they must live as long as a graph that was captured from them.
"""

import functools

from cases import EPS, FP8_MAX
from training import ADAMW

WANTED = ("torch", "hf eager", "compile", "compile max", "liger", "quack")


def _quantise(torch, wide):
    scale = wide.abs().amax(-1, keepdim=True) / FP8_MAX
    return {"y": (wide / scale).to(torch.float8_e4m3fn), "scale": scale.squeeze(-1)}


def _eager_norms(torch):
    functional = torch.nn.functional

    def rmsnorm(x, weight):
        return {"y": functional.rms_norm(x, x.shape[-1:], weight, EPS)}

    def add_rmsnorm(x, weight, residual):
        total = x + residual
        return {"sum": total, "y": functional.rms_norm(total, x.shape[-1:], weight, EPS)}

    def rmsnorm_fp8(x, weight):
        return _quantise(torch, functional.rms_norm(x.float(), x.shape[-1:], weight.float(), EPS))

    def add_rmsnorm_fp8(x, weight, residual):
        total = x + residual
        return {"sum": total, **_quantise(torch, functional.rms_norm(total.float(), x.shape[-1:], weight.float(), EPS))}

    def layernorm(x, weight, bias):
        return {"y": functional.layer_norm(x, x.shape[-1:], weight, bias, EPS)}

    def softmax(x):
        return {"y": torch.softmax(x, -1)}

    def rmsnorm_backward(x, weight, dy, rstd):
        wide, factor = dy.float() * weight, rstd.unsqueeze(-1)
        normal = x * factor
        dx = (wide - normal * (wide * normal).mean(-1, keepdim=True)) * factor
        return {"dx": dx.to(x.dtype), "dweight": (dy * normal).sum(0).to(x.dtype)}

    def layernorm_backward(x, weight, bias, dy, mean, rstd):
        # torch's own backward of layer_norm, with the statistics that its forward keeps.
        wanted = [True, True, True]
        arguments = (dy, x, x.shape[-1:], mean.unsqueeze(-1), rstd.unsqueeze(-1), weight, bias, wanted)
        dx, dweight, dbias = torch.ops.aten.native_layer_norm_backward(*arguments)
        return {"dx": dx, "dweight": dweight, "dbias": dbias}

    return locals()


def _eager_layers(torch):
    functional = torch.nn.functional

    def silu_mul(gate, up):
        return {"y": functional.silu(gate) * up}

    def gelu_tanh_mul(gate, up):
        return {"y": functional.gelu(gate, approximate="tanh") * up}

    def gelu_erf_mul(gate, up):
        return {"y": functional.gelu(gate) * up}

    def silu_mul_fp8(gate, up):
        return _quantise(torch, functional.silu(gate.float()) * up.float())

    silu_mul_fp8_row = silu_mul_fp8

    def rotated(x, cosine, sine):
        # As models do it: in the heads' type.
        cosine, sine = (torch.cat((part, part), -1).to(x.dtype).unsqueeze(1) for part in (cosine, sine))
        low, high = x.chunk(2, -1)
        return x * cosine + torch.cat((-high, low), -1) * sine

    def rope(q, k, cosine, sine):
        return {"q_rotated": rotated(q, cosine, sine), "k_rotated": rotated(k, cosine, sine)}

    def qk_norm_rope(q, k, q_weight, k_weight, cosine, sine):
        q = functional.rms_norm(q, q.shape[-1:], q_weight, EPS)
        k = functional.rms_norm(k, k.shape[-1:], k_weight, EPS)
        return rope(q, k, cosine, sine)

    def embedding_gather(table, token):
        return {"y": functional.embedding(token, table)}

    def transpose(x):
        return {"y": x.t().contiguous()}

    return {name: value for name, value in locals().items() if name != "rotated"}


def _eager_training(torch):
    functional = torch.nn.functional

    def cross_entropy(x, target):
        return {"loss": functional.cross_entropy(x.float(), target, reduction="none")}

    def cross_entropy_backward(x, target):
        logarithms = torch.log_softmax(x.float(), -1)
        index = target.unsqueeze(-1)
        loss = -logarithms.gather(-1, index).squeeze(-1)
        columns = torch.arange(x.shape[-1], device=x.device)
        return {"loss": loss, "dlogits": (logarithms.exp() - (columns == index).float()).to(x.dtype)}

    def sum_parts(partial):
        return {"total": partial.sum(0).to(torch.bfloat16)}

    def adamw(weight, gradient, first, second):
        step, wide = ADAMW, gradient.float()
        first = step["beta_first"] * first + (1 - step["beta_first"]) * wide
        second = step["beta_second"] * second + (1 - step["beta_second"]) * wide * wide
        spread = (second / step["correction_second"]).sqrt() + step["eps"]
        old = weight.float()
        new = old - step["rate"] * (first / step["correction_first"] / spread + step["decay"] * old)
        return {"new_weight": new.to(weight.dtype), "new_first": first, "new_second": second}

    return locals()


def eager(torch):
    """torch as one writes it, one operation after the other."""
    functions = {**_eager_norms(torch), **_eager_layers(torch), **_eager_training(torch)}
    return {name: function for name, function in functions.items() if name not in ("torch", "functional")}


def _hf_eager(torch):
    """The module that models ship with: one operation after the other, in single precision."""

    def rmsnorm(x, weight):
        wide = x.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPS)
        return {"y": weight * wide.to(x.dtype)}

    return {"rmsnorm": rmsnorm}


def _compiled(torch, mode):
    # One function a shape: nothing is left to guards on dynamic sizes.
    wrap = functools.partial(torch.compile, dynamic=False, mode=mode)
    return {name: wrap(function) for name, function in eager(torch).items()}


def _liger():
    from liger_kernel.ops import fused_add_rms_norm, geglu, layer_norm, rms_norm, swiglu
    from liger_kernel.ops import softmax as ops_softmax
    from liger_kernel.ops.utils import calculate_settings

    def first(result):
        return result[0] if isinstance(result, tuple) else result

    def last(result):
        # Gated forwards answer their inputs too, before the output.
        return result[-1] if isinstance(result, tuple) else result

    def rmsnorm(x, weight):
        return {"y": first(rms_norm.rms_norm_forward(x, weight, EPS, 0.0, "llama", None))}

    def add_rmsnorm(x, weight, residual):
        y, total = fused_add_rms_norm.fused_add_rms_norm_forward(x, residual, weight, EPS, 0.0, "llama")[:2]
        return {"sum": total, "y": y}

    def layernorm(x, weight, bias):
        return {"y": first(layer_norm.layer_norm_forward(x, weight, bias, EPS))}

    def softmax(x):
        return {"y": first(ops_softmax._softmax_forward(x))}

    def silu_mul(gate, up):
        return {"y": last(swiglu.swiglu_forward(gate, up))}

    def gelu_tanh_mul(gate, up):
        return {"y": last(geglu.geglu_forward(gate, up))}

    def rmsnorm_backward(x, weight, dy, rstd):
        block, n_warps = calculate_settings(x.shape[-1])
        arguments = (dy, x, weight, rstd, 0.0, 0, block, n_warps, False, None)
        dx, dweight = rms_norm.rms_norm_backward(*arguments)[:2]
        return {"dx": dx, "dweight": dweight}

    def layernorm_backward(x, weight, bias, dy, mean, rstd):
        dx, dweight, dbias = layer_norm.layer_norm_backward(dy, x, weight, bias, mean, rstd)
        return {"dx": dx, "dweight": dweight, "dbias": dbias}

    # Its rotary embedding and its cross-entropy with gradients overwrite their inputs: not the same operations.
    names = (
        "rmsnorm", "add_rmsnorm", "layernorm", "softmax", "silu_mul", "gelu_tanh_mul", "rmsnorm_backward",
        "layernorm_backward",
    )
    known = locals()
    return {name: known[name] for name in names}


def _quack():
    from quack.cross_entropy import cross_entropy_fwd
    from quack.rmsnorm import layernorm_fwd, rmsnorm_bwd, rmsnorm_fwd
    from quack.softmax import softmax_fwd

    kept = {}

    def single(weight):
        """A weight in single precision, converted once and kept with it: a graph may point at both."""
        if id(weight) not in kept:
            kept[id(weight)] = (weight, weight.float())
        return kept[id(weight)][1]

    def rmsnorm(x, weight):
        return {"y": rmsnorm_fwd(x, weight, eps=EPS)[0]}

    def add_rmsnorm(x, weight, residual):
        y, total, _ = rmsnorm_fwd(x, weight, residual=residual, eps=EPS)
        return {"sum": total, "y": y}

    def layernorm(x, weight, bias):
        return {"y": layernorm_fwd(x, single(weight), single(bias), eps=EPS)}

    def softmax(x):
        return {"y": softmax_fwd(x)}

    def cross_entropy(x, target):
        return {"loss": cross_entropy_fwd(x, target)}

    def cross_entropy_backward(x, target):
        loss, dlogits = cross_entropy_fwd(x, target, return_dx=True)
        return {"loss": loss, "dlogits": dlogits}

    def rmsnorm_backward(x, weight, dy, rstd):
        dx, dweight = rmsnorm_bwd(x, weight, dy, rstd)[:2]
        return {"dx": dx, "dweight": dweight}

    def rope(q, k, cosine, sine):
        from quack.rotary import apply_rotary

        rotated = {name: apply_rotary(x.unsqueeze(0), cosine, sine).squeeze(0) for name, x in (("q", q), ("k", k))}
        return {f"{name}_rotated": x for name, x in rotated.items()}

    names = (
        "rmsnorm", "add_rmsnorm", "layernorm", "softmax", "cross_entropy", "cross_entropy_backward",
        "rmsnorm_backward", "rope",
    )
    known = locals()
    return {name: known[name] for name in names}


def peers(torch, wanted, operation):
    """`{contender: function}` of those wanted that know the operation, and `{contender: reason}`."""
    builders = {
        "torch": lambda: eager(torch),
        "hf eager": lambda: _hf_eager(torch),
        "compile": lambda: _compiled(torch, "default"),
        "compile max": lambda: _compiled(torch, "max-autotune-no-cudagraphs"),
        "liger": _liger,
        "quack": _quack,
    }
    found, missing = {}, {}
    for name in wanted:
        try:
            functions = builders[name]()
        except Exception as error:  # noqa: BLE001 (any peer may fail to import for reasons of its own)
            missing[name] = f"{type(error).__name__}: {error}"
            continue
        if operation in functions:
            found[name] = functions[operation]
    return found, missing
