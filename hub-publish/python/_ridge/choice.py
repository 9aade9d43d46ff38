"""Which entry a call takes: the rule of the matrix, over the entries of `kernel.json`."""

import math
from dataclasses import dataclass

from .situation import ALONE, CHAIN

# Most blocks of a grid and threads of a block along x, y and z, on every architecture.
GRID_LIMITS = (2147483647, 65535, 65535)
BLOCK_LIMITS = (1024, 1024, 64)


@dataclass(frozen=True)
class Device:
    """What choosing needs to know of a GPU."""

    name: str
    # Compute capability: (9, 0).
    capability: tuple
    threads_per_block: int = 1024
    shared_memory_per_block_bytes: int = 232448
    cluster_blocks: int = 8


@dataclass(frozen=True)
class LaunchConfig:
    """Sizes of one launch."""

    grid: tuple
    block: tuple
    cluster: tuple | None
    shared_memory_bytes: int
    programmatic: bool
    # Value of each argument that is an integer, in order.
    integers: tuple


@dataclass(frozen=True)
class Choice:
    """What a call takes, by which rule, and what was passed over before."""

    # exact_shape, nearest_shape, same_architecture, default, reference or empty.
    rule: str
    # None for `reference` and `empty`.
    entry: object = None
    config: LaunchConfig | None = None
    # Why not one of the entries before: a clause each.
    passed_over: tuple = ()
    reason: str = ""
    # Arguments that the call copies first, with the reason.
    copies: tuple = ()
    # alone or chain: what the call is taken for.
    situation: str = ALONE
    # What it would take in the other situation; None for `reference` and `empty`.
    other: object = None

    def __str__(self):
        copied = "".join(f"; {copy}" for copy in self.copies)
        if self.entry is None:
            return f"{self.rule}: {self.reason}{copied}"
        here, there = "called alone", "in a chain"
        if self.situation == CHAIN:
            here, there = "called in a chain", "alone"
        if self.other is not None:
            here += f", {there} {'the same' if self.other is self.entry else self.other}"
        words = {
            "exact_shape": "tuned for this shape on this device",
            "nearest_shape": "tuned on this device for the nearest shape",
            "same_architecture": "tuned on another device of this compute capability",
            "default": "no tuned entry fits",
        }[self.rule]
        over = f"; passed over: {'; '.join(self.passed_over)}" if self.passed_over else ""
        return f"{self.rule}: {self.entry}, {words}; {here}{over}{copied}"


def capability_of(architecture):
    """`((9, 0), "a")` for `sm_90a`."""
    text = architecture.removeprefix("sm_")
    suffix = text[-1] if text[-1].isalpha() else ""
    digits = text.removesuffix(suffix) if suffix else text
    return (int(digits[:-1]), int(digits[-1])), suffix


def runs_binary(architecture, capability):
    """Whether a CUBIN for `architecture` runs on a compute capability."""
    built, suffix = capability_of(architecture)
    if suffix == "a":
        return built == capability
    return built[0] == capability[0] and built[1] <= capability[1]


def runs_ptx(architecture, capability):
    """Whether the driver can compile PTX for `architecture` on a compute capability."""
    built, suffix = capability_of(architecture)
    return runs_binary(architecture, capability) if suffix else built <= capability


def distance(axes, extents):
    """Squared distance in log space; extents below 1 count as 1."""
    return sum(
        (math.log(max(extent, 1)) - math.log(max(extents[axis], 1))) ** 2
        for axis, extent in axes.items()
    )


def candidates(entries, device, binding, situation=ALONE):
    """The entries to try, with their rules, in order: by the rule, then by the situation."""
    extents = binding.extents
    shapes = {}

    def fits(entry):
        fixed = all(entry.axes[axis] == extents[axis] for axis in entry.fixed_axes)
        return fixed and entry.types == binding.types

    def order(entry):
        # Of equally near shapes the first in the file's order, and of its entries the one that was
        # made for the situation. Behind a kernel that triggers nothing a programmatic launch gains
        # nothing, so there a plain one comes first.
        shape = (entry.device, *sorted(entry.axes.items()))
        near = distance(entry.axes, extents), shapes.setdefault(shape, len(shapes))
        if situation == CHAIN:
            return *near, entry.situation == ALONE
        return *near, entry.programmatic, entry.situation == CHAIN

    fitting = [entry for entry in entries if fits(entry)]
    tuned = [entry for entry in fitting if entry.rule == "tuned"]
    same = [entry for entry in tuned if capability_of(entry.architecture)[0] == device.capability]
    here = [entry for entry in same if entry.device == device.name]
    for entry in sorted(here, key=order):
        exact = all(extents[axis] == extent for axis, extent in entry.axes.items())
        yield "exact_shape" if exact else "nearest_shape", entry
    for entry in sorted((entry for entry in same if entry.device != device.name), key=order):
        yield "same_architecture", entry
    for entry in fitting:
        if entry.rule == "default":
            yield "default", entry


def configure(entry, device, extents):
    """The launch of an entry, and None; or None and why it cannot be launched."""
    try:
        for rule in entry.legal:
            if not rule(extents):
                return None, f"`{rule.text}` does not hold"
        grid = tuple(int(size(extents)) for size in entry.grid)
        block = tuple(int(size(extents)) for size in entry.block)
        cluster = entry.cluster and tuple(int(size(extents)) for size in entry.cluster)
        shared = int(entry.shared_memory_bytes(extents))
        integers = tuple(
            int(argument.expression(extents))
            for argument in entry.arguments
            if argument.kind == "integer"
        )
    except ZeroDivisionError:
        return None, "one of its expressions divides by zero"
    reason = _beyond(entry, device, grid, block, cluster, shared, integers)
    if reason:
        return None, reason
    return LaunchConfig(grid, block, cluster, shared, entry.programmatic, integers), None


def _beyond(entry, device, grid, block, cluster, shared, integers):
    """What of a launch a device does not have, or None."""
    for what, sizes, limits in (("grid", grid, GRID_LIMITS), ("block", block, BLOCK_LIMITS)):
        for size, limit in zip(sizes, limits):
            if not 1 <= size <= limit:
                return f"its {what} would be {list(sizes)}"
    if math.prod(block) > device.threads_per_block:
        return f"it needs {math.prod(block)} threads a block, the device has {device.threads_per_block}"
    static = entry.artifact.static_shared_memory_bytes
    if shared < 0 or shared + static > device.shared_memory_per_block_bytes:
        return (
            f"it needs {shared + static} bytes of shared memory, "
            f"the device has {device.shared_memory_per_block_bytes}"
        )
    if cluster is not None:
        if min(cluster) < 1 or math.prod(cluster) > device.cluster_blocks:
            return f"its cluster would be {list(cluster)}"
        if any(blocks % size for blocks, size in zip(grid, cluster)):
            return f"clusters of {list(cluster)} do not divide its grid {list(grid)}"
    widths = [size for _, size in entry.artifact.parameters]
    kinds = [argument.kind for argument in entry.arguments]
    wide = [size for size, kind in zip(widths, kinds) if kind == "integer"]
    for value, size in zip(integers, wide):
        if not -(1 << (8 * size - 1)) <= value < 1 << (8 * size - 1):
            return f"{value} does not fit in its parameter of {size} bytes"
    return None
