"""What is compared: operations, their shapes from real models, their data and references."""

import dataclasses

EPS = 1e-6
FP8_MAX = 448.0
GROUP = 128


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation that every contender computes from the same tensors.

    `inputs(torch, generator, rows, cols)` makes one set; `reference(inputs)` answers the outputs in double
    precision; `outputs` names them with torch's dtype, shape letters and the error allowed, absolute and
    relative, of which only one may be exceeded.
    """

    name: str
    kernel: str
    shapes: tuple
    inputs: object
    reference: object
    outputs: dict
    bytes_moved: object  # (rows, cols) -> bytes read and written at least
    axes: object = lambda rows, cols: {"rows": rows, "cols": cols}  # as our kernel's spec names them


def _normal(torch, generator, shape, dtype="bfloat16"):
    return torch.randn(shape, generator=generator, device="cuda", dtype=torch.float32).to(getattr(torch, dtype))


def _weight(torch, generator, cols, dtype="bfloat16"):
    return (1.0 + 0.1 * torch.randn(cols, generator=generator, device="cuda")).to(getattr(torch, dtype))


def _rms_inputs(torch, generator, rows, cols):
    return {"x": _normal(torch, generator, (rows, cols)), "weight": _weight(torch, generator, cols)}


def _add_rms_inputs(torch, generator, rows, cols):
    return {**_rms_inputs(torch, generator, rows, cols), "residual": _normal(torch, generator, (rows, cols))}


def _layer_inputs(torch, generator, rows, cols):
    inputs = _rms_inputs(torch, generator, rows, cols)
    inputs["bias"] = (0.1 * torch.randn(cols, generator=generator, device="cuda")).to(torch.bfloat16)
    return inputs


def _softmax_inputs(torch, generator, rows, cols):
    return {"x": _normal(torch, generator, (rows, cols))}


def _gated_inputs(torch, generator, rows, cols):
    return {"gate": _normal(torch, generator, (rows, cols)), "up": _normal(torch, generator, (rows, cols))}


def _loss_inputs(torch, generator, rows, cols):
    target = torch.randint(cols, (rows,), generator=generator, device="cuda", dtype=torch.int64)
    return {"x": _normal(torch, generator, (rows, cols)), "target": target}


def _rms(x, weight):
    return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight


def _rms_reference(inputs):
    return {"y": _rms(inputs["x"].double(), inputs["weight"].double())}


def _add_rms_reference(inputs):
    # The sum is stored in the inputs' type, and what is stored is normalised.
    total = inputs["x"].double() + inputs["residual"].double()
    return {"sum": total, "y": _rms(total.to(inputs["x"].dtype).double(), inputs["weight"].double())}


def _rms_fp8_reference(inputs):
    normal = _rms(inputs["x"].double(), inputs["weight"].double())
    scale = normal.abs().amax(-1) / FP8_MAX
    return {"y": normal / scale.unsqueeze(-1), "scale": scale}


def _layer_reference(inputs):
    x = inputs["x"].double()
    centred = x - x.mean(-1, keepdim=True)
    normal = centred * (centred.square().mean(-1, keepdim=True) + EPS).rsqrt()
    return {"y": normal * inputs["weight"].double() + inputs["bias"].double()}


def _softmax_reference(inputs):
    return {"y": inputs["x"].double().softmax(-1)}


def _gated_reference(inputs):
    gate = inputs["gate"].double()
    return {"y": gate * gate.sigmoid() * inputs["up"].double()}


def _gated_fp8_reference(inputs):
    gated = _gated_reference(inputs)["y"].unflatten(-1, (-1, GROUP))
    scale = gated.abs().amax(-1) / FP8_MAX
    return {"y": (gated / scale.unsqueeze(-1)).flatten(-2), "scale": scale}


def _loss_reference(inputs):
    # In slices of rows: logits in double precision are four times as large.
    x, target = inputs["x"], inputs["target"]
    loss = x.new_empty(x.shape[0]).double()
    for start in range(0, x.shape[0], 256):
        part = x[start : start + 256].double()
        picked = part.gather(-1, target[start : start + 256].unsqueeze(-1)).squeeze(-1)
        loss[start : start + 256] = part.logsumexp(-1) - picked
    return {"loss": loss}


# bfloat16 keeps 8 bits: half a unit in the last place is 2^-9, doubled for peers that round twice.
BF16 = ("bfloat16", "mn", 1e-3, 0.0082)
OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation(
            name="rmsnorm",
            kernel="rmsnorm",
            shapes=(
                (32768, 128), (32768, 256), (32768, 1024), (1, 4096), (16, 4096), (128, 4096), (256, 4096),
                (512, 4096), (1024, 4096), (2048, 4096), (4096, 4096), (8192, 4096), (16384, 4096),
                (128, 7168), (4096, 7168), (128, 8192), (4096, 8192), (4096, 16384), (2048, 65536), (1024, 131072),
            ),
            inputs=_rms_inputs,
            reference=_rms_reference,
            outputs={"y": BF16},
            bytes_moved=lambda m, n: 4 * m * n + 2 * n,
        ),
        Operation(
            name="add_rmsnorm",
            kernel="add-rmsnorm",
            shapes=(
                (32768, 1024), (128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (128, 7168), (4096, 7168),
                (4096, 8192),
            ),
            inputs=_add_rms_inputs,
            reference=_add_rms_reference,
            # A sum that rounds the other way moves the norm by a unit.
            outputs={"sum": BF16, "y": ("bfloat16", "mn", 1e-2, 0.0164)},
            bytes_moved=lambda m, n: 8 * m * n + 2 * n,
        ),
        Operation(
            name="rmsnorm_fp8",
            kernel="rmsnorm-fp8",
            shapes=((128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (128, 7168), (4096, 7168), (16384, 8192)),
            inputs=_rms_inputs,
            reference=_rms_fp8_reference,
            # e4m3 keeps 4 bits; the least subnormal is 2^-9. Peers round to bfloat16 on the way.
            outputs={"y": ("float8_e4m3fn", "mn", 0.003, 0.075), "scale": ("float32", "m", 0.0, 0.01)},
            bytes_moved=lambda m, n: 3 * m * n + 2 * n + 4 * m,
        ),
        Operation(
            name="layernorm",
            kernel="layernorm",
            shapes=((32768, 1024), (128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (4096, 3072), (4096, 16384)),
            inputs=_layer_inputs,
            reference=_layer_reference,
            outputs={"y": ("bfloat16", "mn", 1e-2, 0.0082)},
            bytes_moved=lambda m, n: 4 * m * n + 4 * n,
        ),
        Operation(
            name="softmax",
            kernel="softmax",
            shapes=(
                (32768, 256), (32768, 1024), (1024, 4096), (4096, 4096), (16384, 4096), (4096, 16384), (2048, 65536),
            ),
            inputs=_softmax_inputs,
            reference=_softmax_reference,
            outputs={"y": ("bfloat16", "mn", 1e-6, 0.0082)},
            bytes_moved=lambda m, n: 4 * m * n,
        ),
        Operation(
            name="silu_mul",
            kernel="silu-mul",
            shapes=((128, 14336), (1024, 14336), (4096, 14336), (16384, 14336)),
            inputs=_gated_inputs,
            reference=_gated_reference,
            outputs={"y": BF16},
            bytes_moved=lambda m, n: 6 * m * n,
        ),
        Operation(
            name="silu_mul_fp8",
            kernel="silu-mul-fp8",
            shapes=((128, 14336), (1024, 14336), (4096, 14336), (16384, 14336), (4096, 2048)),
            inputs=_gated_inputs,
            reference=_gated_fp8_reference,
            outputs={"y": ("float8_e4m3fn", "mn", 0.003, 0.075), "scale": ("float32", "mg", 0.0, 0.01)},
            bytes_moved=lambda m, n: 5 * m * n + 4 * m * n // GROUP,
            axes=lambda rows, cols: {"rows": rows, "groups": cols // GROUP, "group": GROUP},
        ),
        Operation(
            name="cross_entropy",
            kernel="cross-entropy",
            shapes=((4096, 32000), (4096, 128256), (8192, 151936), (128, 128256)),
            inputs=_loss_inputs,
            reference=_loss_reference,
            outputs={"loss": ("float32", "m", 1e-3, 1e-4)},
            bytes_moved=lambda m, n: 2 * m * n + 12 * m,
        ),
    )
}


def empty_outputs(torch, operation, rows, cols, fill=None):
    """Tensors for the outputs; `fill` poisons their bytes."""
    made = {}
    for name, (dtype, letters, _, _) in operation.outputs.items():
        shape = tuple({"m": rows, "n": cols, "g": cols // GROUP}[letter] for letter in letters)
        made[name] = torch.empty(shape, device="cuda", dtype=getattr(torch, dtype))
        if fill is not None:
            made[name].view(torch.uint8).fill_(fill)
    return made


def worst_error(torch, operation, outputs, expected):
    """The largest error over all elements and outputs, in units of what is allowed (1 is the limit).

    Not-a-number and missing elements count as infinitely wrong.
    """
    worst = 0.0
    for name, (_, _, absolute, relative) in operation.outputs.items():
        actual, reference = outputs[name].float().double(), expected[name]
        if actual.shape != reference.shape:
            return float("inf")
        error = (actual - reference).abs()
        # Allowed where either bound holds: measured by the wider of the two.
        allowed = torch.maximum(reference.abs() * relative, torch.full_like(reference, absolute))
        ratio = torch.where(error == 0, torch.zeros_like(error), error / allowed)
        worst = max(worst, float(torch.nan_to_num(ratio, nan=float("inf")).max()))
    return worst
