"""Gated activations, rotary embeddings, gathering and transposing."""

from cases import EPS, Operation, bf16, fp8, quantised, rms, single

ROTARY_BASE = 500000.0
GATED_SHAPES = ((128, 14336), (1024, 14336), (4096, 14336), (16384, 14336))
# Query and key heads of 128 as in Qwen3-8B and Llama-3-8B, both 32 and 8.
HEADS = ((128, 32, 8, 128), (1024, 32, 8, 128), (4096, 32, 8, 128), (16384, 32, 8, 128), (4096, 64, 8, 128))


def _gated_inputs(draw, **dims):
    return {"gate": draw.normal(*dims.values()), "up": draw.normal(*dims.values())}


def _silu_reference(inputs):
    gate = inputs["gate"].double()
    return {"y": gate * gate.sigmoid() * inputs["up"].double()}


def _gelu_tanh_reference(inputs):
    gate = inputs["gate"].double()
    inner = 0.7978845608028654 * (gate + 0.044715 * gate**3)
    return {"y": 0.5 * gate * (1 + inner.tanh()) * inputs["up"].double()}


def _gelu_erf_reference(inputs):
    gate = inputs["gate"].double()
    return {"y": 0.5 * gate * (1 + (gate * 0.5**0.5).erf()) * inputs["up"].double()}


def _rope_inputs(draw, tokens, query_heads, key_heads, dim):
    torch, half = draw.torch, dim // 2
    positions = torch.arange(tokens, device=draw.device, dtype=torch.float32)
    frequencies = ROTARY_BASE ** (-torch.arange(half, device=draw.device, dtype=torch.float32) / half)
    angles = positions.unsqueeze(-1) * frequencies
    return {
        "q": draw.normal(tokens, query_heads, dim), "k": draw.normal(tokens, key_heads, dim),
        "cosine": angles.cos(), "sine": angles.sin(),
    }


def _rotated(x, cosine, sine):
    low, high = x.double().chunk(2, -1)
    cosine, sine = cosine.double().unsqueeze(1), sine.double().unsqueeze(1)
    whole = x.new_empty(x.shape, dtype=low.dtype)
    whole[..., : low.shape[-1]] = low * cosine - high * sine
    whole[..., low.shape[-1] :] = high * cosine + low * sine
    return whole


def _rope_reference(inputs):
    angles = inputs["cosine"], inputs["sine"]
    return {"q_rotated": _rotated(inputs["q"], *angles), "k_rotated": _rotated(inputs["k"], *angles)}


def _qk_norm_inputs(draw, tokens, query_heads, key_heads, dim):
    weights = {"q_weight": draw.weight(dim), "k_weight": draw.weight(dim)}
    return {**_rope_inputs(draw, tokens, query_heads, key_heads, dim), **weights}


def _qk_norm_reference(inputs):
    normal = {name: rms(inputs[name].double(), inputs[f"{name}_weight"].double()) for name in ("q", "k")}
    return _rope_reference({**inputs, **normal})


def _rope_bytes(tokens, query_heads, key_heads, dim):
    return 4 * tokens * (query_heads + key_heads) * dim + 4 * tokens * dim


def _gather_inputs(draw, tokens, vocabulary, cols):
    return {"table": draw.normal(vocabulary, cols), "token": draw.integers(vocabulary, tokens)}


# Peers round to bfloat16 after each of several steps, and differences of large products are small.
_ROTARY = {
    "q_rotated": bf16("tokens query_heads dim", 0.05), "k_rotated": bf16("tokens key_heads dim", 0.05),
}

ACTIVATIONS = (
    *(
        Operation(
            name=name,
            kernel=kernel,
            dims=("rows", "cols"),
            shapes=GATED_SHAPES,
            inputs=_gated_inputs,
            reference=reference,
            outputs={"y": bf16("rows cols")},
            bytes_moved=lambda rows, cols: 6 * rows * cols,
        )
        for name, kernel, reference in (
            ("silu_mul", "silu-mul", _silu_reference),
            ("gelu_tanh_mul", "gelu-tanh-mul", _gelu_tanh_reference),
            ("gelu_erf_mul", "gelu-erf-mul", _gelu_erf_reference),
        )
    ),
    Operation(
        name="silu_mul_fp8",
        kernel="silu-mul-fp8",
        dims=("rows", "groups", "group"),
        shapes=((128, 112, 128), (1024, 112, 128), (4096, 112, 128), (16384, 112, 128), (4096, 16, 128)),
        inputs=_gated_inputs,
        reference=lambda inputs: quantised(_silu_reference(inputs)["y"]),
        outputs={"y": fp8("rows groups group"), "scale": single("rows groups", 0.0, 0.01)},
        bytes_moved=lambda rows, groups, group: 5 * rows * groups * group + 4 * rows * groups,
    ),
    Operation(
        name="silu_mul_fp8_row",
        kernel="silu-mul-fp8-row",
        dims=("rows", "cols"),
        shapes=GATED_SHAPES,
        inputs=_gated_inputs,
        reference=lambda inputs: quantised(_silu_reference(inputs)["y"]),
        outputs={"y": fp8("rows cols"), "scale": single("rows", 0.0, 0.01)},
        bytes_moved=lambda rows, cols: 5 * rows * cols + 4 * rows,
    ),
)

POSITIONS = (
    Operation(
        name="rope",
        kernel="rope",
        dims=("tokens", "query_heads", "key_heads", "dim"),
        shapes=HEADS,
        inputs=_rope_inputs,
        reference=_rope_reference,
        outputs=_ROTARY,
        bytes_moved=_rope_bytes,
        types={"T": "bf16", "C": "f32"},
    ),
    Operation(
        name="qk_norm_rope",
        kernel="qk-norm-rope",
        dims=("tokens", "query_heads", "key_heads", "dim"),
        shapes=HEADS,
        inputs=_qk_norm_inputs,
        reference=_qk_norm_reference,
        outputs=_ROTARY,
        bytes_moved=_rope_bytes,
        types={"T": "bf16", "C": "f32"},
        scalars={"eps": EPS},
    ),
)

MOVES = (
    Operation(
        name="embedding_gather",
        kernel="embedding-gather",
        dims=("tokens", "vocabulary", "cols"),
        shapes=((128, 32000, 4096), (4096, 32000, 4096), (16384, 32000, 4096), (8192, 50368, 1024)),
        inputs=_gather_inputs,
        reference=lambda inputs: {"y": inputs["table"][inputs["token"]].double()},
        outputs={"y": bf16("tokens cols", 0.0, 0.0)},
        bytes_moved=lambda tokens, vocabulary, cols: 4 * tokens * cols + 8 * tokens,
        types={"T": "bf16", "I": "i64"},
        shared=("table",),
    ),
    Operation(
        name="transpose",
        kernel="transpose",
        dims=("rows", "cols"),
        shapes=((1024, 4096), (4096, 4096), (16384, 4096), (4096, 14336)),
        inputs=lambda draw, rows, cols: {"x": draw.normal(rows, cols)},
        reference=lambda inputs: {"y": inputs["x"].t().double()},
        outputs={"y": bf16("cols rows", 0.0, 0.0)},
        bytes_moved=lambda rows, cols: 4 * rows * cols,
    ),
)
