"""`kernel.json` as objects. `FORMAT.md` in Ridge's repository says what each key means."""

import json
from dataclasses import dataclass, field

from .expression import Expression
from .situation import ALONE, CHAIN

SCHEMA = 1

# Names in `kernel.json` and in torch.
DTYPES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "f8e4m3": "float8_e4m3fn",
    "f8e5m2": "float8_e5m2",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u32": "uint32",
    "u8": "uint8",
    "bool": "bool",
}


@dataclass(frozen=True)
class Value:
    """An input or output: a tensor, or a scalar where `shape` is None."""

    name: str
    dtype: str
    shape: tuple | None
    default: object = None
    # The axis that its elements index, where they are indices.
    index_of: str | None = None
    # Whether no kernel before writes it, where the spec says.
    constant: bool | None = None


@dataclass(frozen=True)
class Artifact:
    """One compiled kernel; files are relative to the variant's folder."""

    digest: str
    symbol: str
    cubin: dict
    ptx: dict | None
    parameters: tuple
    static_shared_memory_bytes: int


@dataclass(frozen=True)
class Argument:
    """What one parameter of the kernel gets: `kind` is tensor, scalar or integer."""

    kind: str
    name: str | None
    dtype: str | None
    expression: Expression | None


@dataclass(frozen=True)
class Entry:
    """A compiled candidate and where it applies."""

    rule: str
    # `alone` or `chain` where the shape has an entry for either; None for both.
    situation: str | None
    workload: str | None
    device: str | None
    architecture: str
    types: dict
    axes: dict
    fixed_axes: tuple
    candidate: dict
    artifact: Artifact
    basis: str | None
    median_ns: int | None
    alignment_bytes: int
    legal: tuple
    grid: tuple
    block: tuple
    cluster: tuple | None
    shared_memory_bytes: Expression
    programmatic: bool
    arguments: tuple

    def __str__(self):
        candidate = ",".join(f"{name}={value}" for name, value in sorted(self.candidate.items()))
        if self.rule == "default":
            return f"the default candidate ({candidate})"
        return f"`{self.workload}` on {self.device} ({candidate})"


@dataclass(frozen=True)
class Manifest:
    """One kernel."""

    kernel: str
    function: str
    description: str
    reference: str | None
    types: dict
    axes: tuple
    derived: dict
    inputs: tuple
    outputs: tuple
    tolerance: dict
    entries: tuple = field(repr=False)

    @property
    def leading_axis(self):
        """The axis that may stand for several dimensions, or None."""
        tensors = [value for value in self.inputs + self.outputs if value.shape is not None]
        first = tensors[0].shape if tensors else ()
        if not first or first[0] in self.derived or first[0] not in self.axes_dynamic:
            return None
        at = [value.shape.index(first[0]) for value in tensors if first[0] in value.shape]
        return first[0] if not any(at) else None

    @property
    def early_inputs(self):
        """Constant tensors, as a model's weights are: without a dynamic axis, or said to be.

        A kernel that may start before the one before it has ended waits for that one before it
        reads its other inputs, not before it reads these.
        """
        dynamic = set(self.axes_dynamic)
        before = None
        while dynamic != before:
            before = set(dynamic)
            dynamic |= {name for name, rule in self.derived.items() if rule.names & dynamic}
        tensors = [value for value in self.inputs if value.shape is not None]

        def constant(value):
            if value.constant is not None:
                return value.constant
            return not dynamic.intersection(value.shape)

        return [value.name for value in tensors if constant(value)]

    @property
    def axes_dynamic(self):
        """Names of the axes that a launch gets at run time."""
        return [name for name, kind in self.axes if kind == "dynamic"]


def read(folder):
    """The manifest in a variant's folder.

    Raises ValueError where the file is not of this schema or holds a refused expression.
    """
    data = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise ValueError(
            f"{folder / 'kernel.json'} has schema {data.get('schema')!r}; this package reads {SCHEMA}"
        )
    names = [axis["name"] for axis in data["axes"]]
    derived = {
        axis["name"]: Expression(axis["expression"], names)
        for axis in data["axes"]
        if axis["kind"] == "derived"
    }
    artifacts = {digest: _artifact(digest, value) for digest, value in data["artifacts"].items()}
    return Manifest(
        kernel=data["kernel"],
        function=data["function"],
        description=data["description"],
        reference=data["reference"],
        types=data["types"],
        axes=tuple((axis["name"], axis["kind"]) for axis in data["axes"]),
        derived=derived,
        inputs=tuple(_value(value) for value in data["inputs"]),
        outputs=tuple(_value(value) for value in data["outputs"]),
        tolerance=data["tolerance"],
        entries=tuple(_entry(entry, names, artifacts) for entry in data["entries"]),
    )


def _value(data):
    shape = None if data["shape"] is None else tuple(data["shape"])
    default, index_of, constant = data.get("default"), data.get("index_of"), data.get("constant")
    return Value(data["name"], data["dtype"], shape, default, index_of, constant)


def _artifact(digest, data):
    parameters = tuple((part["offset_bytes"], part["size_bytes"]) for part in data["parameters"])
    static = data["resources"]["static_shared_memory_bytes"]
    return Artifact(digest, data["symbol"], data["cubin"], data["ptx"], parameters, static)


def _situation(data):
    situation = data.get("situation")
    if situation not in (None, ALONE, CHAIN):
        raise ValueError(f"an entry of kernel.json is for a situation {situation!r}")
    return situation


def _entry(data, names, artifacts):
    def parse(text):
        return Expression(text, names)

    launch = data["launch"]
    cluster = launch["cluster"]
    arguments = []
    for part in launch["arguments"]:
        expression = parse(part["expression"]) if part["kind"] == "integer" else None
        arguments.append(Argument(part["kind"], part.get("name"), part.get("dtype"), expression))
    return Entry(
        rule=data["rule"],
        situation=_situation(data),
        workload=data["workload"],
        device=data["device"],
        architecture=data["architecture"],
        types=data["types"],
        axes=data["axes"],
        fixed_axes=tuple(data["fixed_axes"]),
        candidate=data["candidate"],
        artifact=artifacts[data["artifact"]],
        basis=data["basis"],
        median_ns=data["median_ns"],
        alignment_bytes=data["alignment_bytes"],
        legal=tuple(parse(text) for text in data["legal"]),
        grid=tuple(parse(text) for text in launch["grid"]),
        block=tuple(parse(text) for text in launch["block"]),
        cluster=None if cluster is None else tuple(parse(text) for text in cluster),
        shared_memory_bytes=parse(launch["shared_memory_bytes"]),
        programmatic=launch["programmatic"],
        arguments=tuple(arguments),
    )
