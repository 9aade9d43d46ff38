"""What only training has: losses, backward passes and the optimizer's step."""

from cases import EPS, Operation, bf16, by_rows, single
from norms import rms_inputs

# One step of AdamW: a language model's usual numbers, at its tenth step.
ADAMW = {
    "rate": 1e-3, "beta_first": 0.9, "beta_second": 0.95, "decay": 0.1, "eps": 1e-8,
    "correction_first": 1 - 0.9**10, "correction_second": 1 - 0.95**10,
}


def _loss_inputs(draw, rows, cols):
    return {"x": draw.normal(rows, cols), "target": draw.integers(cols, rows)}


def _loss_rows(x, target):
    wide = x.double()
    return {"loss": wide.logsumexp(-1) - wide.gather(-1, target.unsqueeze(-1)).squeeze(-1)}


def _loss_and_gradient_rows(x, target):
    gradient = x.double().softmax(-1)
    gradient.scatter_add_(-1, target.unsqueeze(-1), gradient.new_full((len(x), 1), -1.0))
    return {**_loss_rows(x, target), "dlogits": gradient}


def _rms_backward_inputs(draw, rows, cols):
    inputs = rms_inputs(draw, rows, cols)
    rstd = (inputs["x"].float().square().mean(-1) + EPS).rsqrt()
    return {**inputs, "dy": draw.normal(rows, cols), "rstd": rstd}


def _rms_backward_reference(inputs):
    x, dy = inputs["x"].double(), inputs["dy"].double()
    weight, rstd = inputs["weight"].double(), inputs["rstd"].double().unsqueeze(-1)
    normal, scaled = x * rstd, dy * weight
    dx = (scaled - normal * (scaled * normal).mean(-1, keepdim=True)) * rstd
    return {"dx": dx, "dweight": (dy * normal).sum(0)}


def _layer_backward_inputs(draw, rows, cols):
    inputs = rms_inputs(draw, rows, cols)
    x = inputs["x"].float()
    statistics = {"mean": x.mean(-1), "rstd": (x.var(-1, correction=0) + EPS).rsqrt()}
    bias = draw.normal(cols, deviation=0.1)
    return {**inputs, "bias": bias, "dy": draw.normal(rows, cols), **statistics}


def _layer_backward_reference(inputs):
    x, dy = inputs["x"].double(), inputs["dy"].double()
    weight, rstd = inputs["weight"].double(), inputs["rstd"].double().unsqueeze(-1)
    normal, scaled = (x - inputs["mean"].double().unsqueeze(-1)) * rstd, dy * weight
    along = (scaled * normal).mean(-1, keepdim=True)
    dx = (scaled - scaled.mean(-1, keepdim=True) - normal * along) * rstd
    return {"dx": dx, "dweight": (dy * normal).sum(0), "dbias": dy.sum(0)}


def _parts(rows, cols):
    """The parts of the rows that our backward passes leave sums of, as their specs derive them."""
    del cols
    rows_per_part = -(-rows // 264)
    return {"parts": -(-rows // rows_per_part)}


def _summed(*names):
    """Makes the weights' gradients of their partial sums, as peers do after their own kernel."""

    def finish(written):
        whole = {name: written[f"{name}_partial"].sum(0).to(written["dx"].dtype) for name in names}
        return {"dx": written["dx"], **whole}

    return finish


def _adamw_inputs(draw, n):
    return {
        "weight": draw.normal(n), "gradient": draw.normal(n, deviation=0.1),
        "first": draw.normal(n, dtype="float32", deviation=0.1),
        "second": draw.normal(n, dtype="float32", deviation=0.1).square_(),
    }


def _adamw_reference(inputs):
    gradient, step = inputs["gradient"].double(), ADAMW
    first = step["beta_first"] * inputs["first"].double() + (1 - step["beta_first"]) * gradient
    second = step["beta_second"] * inputs["second"].double() + (1 - step["beta_second"]) * gradient.square()
    spread = (second / step["correction_second"]).sqrt() + step["eps"]
    weight = inputs["weight"].double()
    weight = weight - step["rate"] * (first / step["correction_first"] / spread + step["decay"] * weight)
    return {"new_weight": weight, "new_first": first, "new_second": second}


# Sums over thousands of rows of values near 1, in bfloat16 in the end: their error is of the sum's size.
_DX = bf16("rows cols", 0.01)
_DWEIGHT = bf16("cols", 0.75, 0.02)
_PARTIAL = single("parts cols", 0.0, 0.0)

LOSSES = (
    Operation(
        name="cross_entropy",
        kernel="cross-entropy",
        dims=("rows", "cols"),
        shapes=((4096, 32000), (4096, 128256), (8192, 151936), (128, 128256)),
        inputs=_loss_inputs,
        reference=lambda inputs: by_rows(_loss_rows, inputs["x"], inputs["target"]),
        outputs={"loss": single("rows", 1e-3, 1e-4)},
        bytes_moved=lambda rows, cols: 2 * rows * cols + 12 * rows,
    ),
    Operation(
        name="cross_entropy_backward",
        kernel="cross-entropy-backward",
        dims=("rows", "cols"),
        shapes=((4096, 32000), (4096, 128256), (1024, 151936)),
        inputs=_loss_inputs,
        reference=lambda inputs: by_rows(_loss_and_gradient_rows, inputs["x"], inputs["target"]),
        outputs={"loss": single("rows", 1e-3, 1e-4), "dlogits": bf16("rows cols", 1e-6)},
        bytes_moved=lambda rows, cols: 4 * rows * cols + 12 * rows,
        # The gradient of the rows' sum, with no row left out.
        scalars={"scale": 1.0, "ignore_index": -100},
    ),
)

BACKWARD = (
    Operation(
        name="rmsnorm_backward",
        kernel="rmsnorm-backward",
        dims=("rows", "cols"),
        shapes=((4096, 4096), (16384, 4096), (8192, 8192), (4096, 7168)),
        inputs=_rms_backward_inputs,
        reference=_rms_backward_reference,
        outputs={"dx": _DX, "dweight": _DWEIGHT},
        kernel_outputs={"dx": _DX, "dweight_partial": _PARTIAL},
        finish=_summed("dweight"),
        derived=_parts,
        bytes_moved=lambda rows, cols: rows * (6 * cols + 4) + 4 * cols,
        scalars={"eps": EPS},
    ),
    Operation(
        name="layernorm_backward",
        kernel="layernorm-backward",
        dims=("rows", "cols"),
        shapes=((4096, 4096), (16384, 4096)),
        inputs=_layer_backward_inputs,
        reference=_layer_backward_reference,
        outputs={"dx": _DX, "dweight": _DWEIGHT, "dbias": _DWEIGHT},
        kernel_outputs={"dx": _DX, "dweight_partial": _PARTIAL, "dbias_partial": _PARTIAL},
        finish=_summed("dweight", "dbias"),
        derived=_parts,
        bytes_moved=lambda rows, cols: rows * (6 * cols + 8) + 6 * cols,
        scalars={"eps": EPS},
    ),
)

SUMS = (
    Operation(
        name="sum_parts",
        kernel="sum-parts",
        dims=("parts", "cols"),
        shapes=((256, 4096), (512, 4096), (256, 8192)),
        inputs=lambda draw, parts, cols: {"partial": draw.normal(parts, cols, dtype="float32")},
        reference=lambda inputs: {"total": inputs["partial"].double().sum(0)},
        outputs={"total": bf16("cols", 1e-3)},
        bytes_moved=lambda parts, cols: 4 * parts * cols + 2 * cols,
    ),
)

OPTIMIZERS = (
    Operation(
        name="adamw",
        kernel="adamw",
        dims=("n",),
        shapes=((1 << 20,), (1 << 24,), (1 << 27,)),
        inputs=_adamw_inputs,
        reference=_adamw_reference,
        outputs={
            "new_weight": bf16("n", 1e-5), "new_first": single("n", 1e-7, 1e-5), "new_second": single("n", 1e-9, 1e-5),
        },
        bytes_moved=lambda n: 22 * n,
        scalars=ADAMW,
    ),
)
