"""Normalisations and softmax."""

from cases import EPS, FP8_RELATIVE, Operation, bf16, fp8, quantised, rms, single


def rms_inputs(draw, rows, cols):
    return {"x": draw.normal(rows, cols), "weight": draw.weight(cols)}


def _add_rms_inputs(draw, rows, cols):
    return {**rms_inputs(draw, rows, cols), "residual": draw.normal(rows, cols)}


def _layer_inputs(draw, rows, cols):
    return {**rms_inputs(draw, rows, cols), "bias": draw.normal(cols, deviation=0.1)}


def _rms_reference(inputs):
    return {"y": rms(inputs["x"].double(), inputs["weight"].double())}


def _add_rms_reference(inputs):
    # The sum is stored in the inputs' type, and what is stored is normalised.
    total = inputs["x"].double() + inputs["residual"].double()
    return {"sum": total, "y": rms(total.to(inputs["x"].dtype).double(), inputs["weight"].double())}


def _add_rms_fp8_reference(inputs):
    both = _add_rms_reference(inputs)
    return {"sum": both["sum"], **quantised(both["y"])}


def _layer_reference(inputs):
    x = inputs["x"].double()
    centred = x - x.mean(-1, keepdim=True)
    normal = centred * (centred.square().mean(-1, keepdim=True) + EPS).rsqrt()
    return {"y": normal * inputs["weight"].double() + inputs["bias"].double()}


NORMS = (
    Operation(
        name="rmsnorm",
        kernel="rmsnorm",
        dims=("rows", "cols"),
        shapes=(
            (32768, 128), (32768, 256), (32768, 1024), (1, 4096), (16, 4096), (128, 4096), (256, 4096), (512, 4096),
            (1024, 4096), (2048, 4096), (4096, 4096), (8192, 4096), (16384, 4096), (128, 7168), (4096, 7168),
            (128, 8192), (4096, 8192), (4096, 16384), (2048, 65536), (1024, 131072),
        ),
        inputs=rms_inputs,
        reference=_rms_reference,
        outputs={"y": bf16("rows cols")},
        bytes_moved=lambda rows, cols: 4 * rows * cols + 2 * cols,
        scalars={"eps": EPS},
    ),
    Operation(
        name="add_rmsnorm",
        kernel="add-rmsnorm",
        dims=("rows", "cols"),
        shapes=(
            (32768, 1024), (128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (128, 7168), (4096, 7168),
            (4096, 8192),
        ),
        inputs=_add_rms_inputs,
        reference=_add_rms_reference,
        # A sum that rounds the other way moves the norm by a unit.
        outputs={"sum": bf16("rows cols"), "y": bf16("rows cols", 1e-2, 0.0164)},
        bytes_moved=lambda rows, cols: 8 * rows * cols + 2 * cols,
        scalars={"eps": EPS},
    ),
    Operation(
        name="rmsnorm_fp8",
        kernel="rmsnorm-fp8",
        dims=("rows", "cols"),
        shapes=((128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (128, 7168), (4096, 7168), (16384, 8192)),
        inputs=rms_inputs,
        reference=lambda inputs: quantised(_rms_reference(inputs)["y"]),
        outputs={"y": fp8("rows cols"), "scale": single("rows", 0.0, 0.01)},
        bytes_moved=lambda rows, cols: 3 * rows * cols + 2 * cols + 4 * rows,
        scalars={"eps": EPS},
    ),
    Operation(
        name="add_rmsnorm_fp8",
        kernel="add-rmsnorm-fp8",
        dims=("rows", "cols"),
        shapes=((128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (128, 7168), (4096, 7168)),
        inputs=_add_rms_inputs,
        reference=_add_rms_fp8_reference,
        outputs={
            "sum": bf16("rows cols"),
            "y": fp8("rows cols", relative=FP8_RELATIVE + 0.01),
            "scale": single("rows", 0.0, 0.015),
        },
        bytes_moved=lambda rows, cols: 7 * rows * cols + 2 * cols + 4 * rows,
        scalars={"eps": EPS},
    ),
    Operation(
        name="layernorm",
        kernel="layernorm",
        dims=("rows", "cols"),
        shapes=((32768, 1024), (128, 4096), (1024, 4096), (4096, 4096), (16384, 4096), (4096, 3072), (4096, 16384)),
        inputs=_layer_inputs,
        reference=_layer_reference,
        outputs={"y": bf16("rows cols", 1e-2)},
        bytes_moved=lambda rows, cols: 4 * rows * cols + 4 * cols,
        scalars={"eps": EPS},
    ),
    Operation(
        name="softmax",
        kernel="softmax",
        dims=("rows", "cols"),
        shapes=(
            (32768, 256), (32768, 1024), (1024, 4096), (4096, 4096), (16384, 4096), (4096, 16384), (2048, 65536),
        ),
        inputs=lambda draw, rows, cols: {"x": draw.normal(rows, cols)},
        reference=lambda inputs: {"y": inputs["x"].double().softmax(-1)},
        outputs={"y": bf16("rows cols", 1e-6)},
        bytes_moved=lambda rows, cols: 4 * rows * cols,
    ),
)
