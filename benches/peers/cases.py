"""What an operation is to the comparison: its shapes, its data, its reference and the errors allowed."""

import dataclasses

EPS = 1e-6
FP8_MAX = 448.0
# bfloat16 keeps 8 bits: half a unit in the last place is 2^-9, doubled for peers that round twice.
BF16_ABSOLUTE, BF16_RELATIVE = 1e-3, 0.0082
# e4m3 keeps 4 bits; the least subnormal is 2^-9. Peers round to bfloat16 on the way.
FP8_ABSOLUTE, FP8_RELATIVE = 0.003, 0.075
PART_ELEMENTS = 1 << 26  # compared or summed at once: double precision takes four times the memory of 16 bits


@dataclasses.dataclass(frozen=True)
class Output:
    """One result: torch's name of its dtype, its axes, and the error allowed, absolute and relative, of which
    only one may be exceeded."""

    dtype: str
    axes: str  # names of the operation's dimensions, by blanks
    absolute: float
    relative: float


def bf16(axes, absolute=BF16_ABSOLUTE, relative=BF16_RELATIVE):
    return Output("bfloat16", axes, absolute, relative)


def single(axes, absolute, relative):
    return Output("float32", axes, absolute, relative)


def fp8(axes, absolute=FP8_ABSOLUTE, relative=FP8_RELATIVE):
    return Output("float8_e4m3fn", axes, absolute, relative)


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation that every contender computes from the same tensors.

    `dims` names the numbers of a shape as our kernel's spec names its axes. `inputs(draw, **dims)` makes one set;
    `reference(inputs)` answers the outputs in double precision; `bytes_moved(**dims)` is what must be read and
    written at least. `scalars` are our kernel's, and the peers' formulas use the same numbers. Where our kernel
    leaves `kernel_outputs`, `finish(written)` makes the outputs of them, and is timed with it; `derived(**dims)`
    is what those have of axes that a shape does not name.
    """

    name: str
    kernel: str
    dims: tuple
    shapes: tuple
    inputs: object
    reference: object
    outputs: dict
    bytes_moved: object
    scalars: dict = dataclasses.field(default_factory=dict)
    kernel_outputs: dict = None
    finish: object = None
    derived: object = None
    shared: tuple = ()  # inputs that all sets have in common, for they are large
    # Types of the kernel's type variables, where it has others than T.
    types: dict = dataclasses.field(default_factory=lambda: {"T": "bf16"})

    def named(self, shape):
        """The numbers of a shape by name."""
        return dict(zip(self.dims, shape, strict=True))


class Draw:
    """Random tensors on one device, the same for a seed."""

    def __init__(self, torch, device, seed):
        self.torch, self.device = torch, device
        self.generator = torch.Generator(device=device).manual_seed(seed)

    def normal(self, *shape, dtype="bfloat16", mean=0.0, deviation=1.0):
        values = self.torch.randn(shape, generator=self.generator, device=self.device, dtype=self.torch.float32)
        return values.mul_(deviation).add_(mean).to(getattr(self.torch, dtype))

    def weight(self, cols):
        """Weights of a norm: near 1."""
        return self.normal(cols, mean=1.0, deviation=0.1)

    def integers(self, high, *shape):
        return self.torch.randint(high, shape, generator=self.generator, device=self.device, dtype=self.torch.int64)


def rms(x, weight):
    """Root-mean-square normalisation, in the precision of its inputs."""
    return x * (x.square().mean(-1, keepdim=True) + EPS).rsqrt() * weight


def quantised(values):
    """What fp8 is made of: values over a scale for each row, and the scale."""
    scale = values.abs().amax(-1) / FP8_MAX
    return {"y": values / scale.unsqueeze(-1), "scale": scale}


def by_rows(function, *tensors):
    """A reference in slices of rows: logits in double precision are four times as large."""
    parts = [function(*slices) for slices in zip(*(tensor.split(256) for tensor in tensors), strict=True)]
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts):
    whole = parts[0].new_empty((sum(map(len, parts)), *parts[0].shape[1:]))
    for slot, part in zip(whole.split([len(part) for part in parts]), parts, strict=True):
        slot.copy_(part)
    return whole


def empty_outputs(torch, operation, dims, device, fill=None):
    """Tensors for what our kernel writes; `fill` poisons their bytes."""
    made = {}
    whole = {**dims, **operation.derived(**dims)} if operation.derived else dims
    for name, output in (operation.kernel_outputs or operation.outputs).items():
        shape = tuple(whole[axis] for axis in output.axes.split())
        made[name] = torch.empty(shape, device=device, dtype=getattr(torch, output.dtype))
        if fill is not None:
            poison(torch, made[name], fill)
    return made


def poison(torch, tensor, fill=0xFF):
    """Overwrites a tensor's bytes; 0xff is not-a-number in every floating-point format."""
    tensor.view(torch.uint8).fill_(fill)


def checksum(torch, tensor):
    """A number that changes when the tensor's bytes do, on the tensor's device."""
    flat = tensor.detach().reshape(-1).view(torch.uint8)
    total = torch.zeros((), device=tensor.device, dtype=torch.int64)
    if flat.numel() % 4 == 0 and flat.data_ptr() % 4 == 0:
        flat = flat.view(torch.int32)
    for part in flat.split(PART_ELEMENTS):
        total += part.sum(dtype=torch.int64)
    return total


def worst_error(torch, operation, outputs, expected):
    """The largest error over all elements and outputs, in units of what is allowed (1 is the limit).

    Not-a-number and missing elements count as infinitely wrong.
    """
    worst = 0.0
    for name, output in operation.outputs.items():
        reference = expected[name]
        if outputs[name].numel() != reference.numel():
            return float("inf")
        actual = outputs[name].reshape(-1)
        for part, wanted in zip(actual.split(PART_ELEMENTS), reference.reshape(-1).split(PART_ELEMENTS), strict=True):
            error = (part.float().double() - wanted).abs()
            # Allowed where either bound holds: measured by the wider of the two.
            allowed = torch.maximum(wanted.abs() * output.relative, torch.full_like(wanted, output.absolute))
            ratio = torch.where(error == 0, torch.zeros_like(error), error / allowed)
            worst = max(worst, float(torch.nan_to_num(ratio, nan=float("inf")).max()))
    return worst
