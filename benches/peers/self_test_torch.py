"""Tries what needs torch but no GPU: formulas against references, lifetimes, arguments, whole cells."""

import ctypes
import gc
import pathlib
import tempfile

import torch

import campaigns
import cases
import contenders
import protocol
import rehearsal
from cell import Cell, CellError
from driver import Driver, DriverError, Function, Launch, packed
from operations import OPERATIONS

SMALL = {
    "silu_mul_fp8": (5, 3, 128), "cross_entropy": (300, 1000), "cross_entropy_backward": (300, 1000),
    "rope": (37, 4, 2, 64), "qk_norm_rope": (37, 4, 2, 64), "rmsnorm_backward": (300, 96),
    "layernorm_backward": (300, 96), "adamw": (1000,), "embedding_gather": (33, 50, 40),
}
# torch's backward of layer_norm wants its statistics in the inputs' type on a CPU, in single precision on a GPU.
WIDENED = ("layernorm_backward",)


def small(operation):
    return SMALL.get(operation.name, (17, 160))


def check_formulas():
    """torch's formulas agree with the references, and sizes with the bytes that are counted."""
    functions = contenders.eager(torch)
    assert set(functions) == set(OPERATIONS), set(functions) ^ set(OPERATIONS)
    for operation in OPERATIONS.values():
        dims = operation.named(small(operation))
        inputs = operation.inputs(cases.Draw(torch, "cpu", 1), **dims)
        if operation.name in WIDENED:
            inputs = {name: value.float() for name, value in inputs.items()}
        with torch.no_grad():
            outputs = functions[operation.name](**inputs)
        worst = cases.worst_error(torch, operation, outputs, operation.reference(inputs))
        assert worst <= 1.0, (operation.name, worst)
        written = cases.empty_outputs(torch, operation, dims, "cpu", 0xFF)
        assert set(written) == set(operation.kernel_outputs or operation.outputs)
        if operation.finish is None:
            poisoned = cases.worst_error(torch, operation, written, operation.reference(inputs))
            assert poisoned == float("inf"), (operation.name, poisoned)


def check_against_specs(kernels):
    """Names, axes and types are those of our kernels' specs, where the kernel is there."""
    for operation in OPERATIONS.values():
        folder = kernels / operation.kernel
        if not (folder / "kernel.toml").is_file():
            continue
        spec = campaigns.Kernel(folder)
        derived = {name for name, kind in spec.spec["axes"].items() if isinstance(kind, dict)}
        assert set(spec.spec["axes"]) - derived == set(operation.dims), operation.name
        dims = operation.named(small(operation))
        inputs = operation.inputs(cases.Draw(torch, "cpu", 1), **dims)
        written = cases.empty_outputs(torch, operation, dims, "cpu")
        have = {**spec.defaults(), **spec.with_derived(dims, operation.types), **operation.scalars, **inputs, **written}
        missing = [name for name in spec.launch["arguments"] if name not in have]
        assert not missing, f"{operation.name}: {missing}"
        assert set(operation.types) == set(spec.spec.get("types", {})), operation.name
        scalars = set(spec.defaults())
        assert scalars == set(operation.scalars), (operation.name, scalars)
        for name, tensor in {**inputs, **written}.items():
            part = spec.spec["inputs" if name in inputs else "outputs"].get(name)
            if part is None:
                continue  # a peer's alone
            dtype = operation.types.get(part["dtype"], part["dtype"])
            assert campaigns.SIZES[dtype] == tensor.element_size(), (operation.name, name)
            whole = spec.with_derived(dims, operation.types)
            elements = 1
            for axis in part["shape"]:
                elements *= campaigns.evaluate(str(axis), whole)
            assert elements == tensor.numel(), (operation.name, name)


def check_packing():
    """Arguments have their parameters' bytes; what does not fit is refused."""
    tensor = torch.zeros(4)
    assert packed("x", 8, tensor).value == tensor.data_ptr()
    assert isinstance(packed("rows", 4, 7), ctypes.c_int) and isinstance(packed("rows", 8, 1 << 40), ctypes.c_longlong)
    assert isinstance(packed("eps", 4, 0.5), ctypes.c_float) and isinstance(packed("eps", 8, 0.5), ctypes.c_double)
    for wrong in ((4, tensor), (8, torch.zeros(4, 4).t()), (4, 1 << 40), (2, 1)):
        try:
            packed("x", *wrong)
        except DriverError:
            continue
        raise AssertionError(f"{wrong} was packed")


def tuned(folder, dims, programmatic):
    """A candidate of rmsnorm with an image that only the rehearsal can load."""
    (folder / "kernel.cubin").write_bytes(b"image")
    names = (("x", 8), ("weight", 8), ("y", 8), ("rows", 4), ("eps", 4))
    return campaigns.Tuned(
        kernel="rmsnorm", axes=dims, types={"T": "bf16"}, candidate={"pdl": programmatic}, artifact=folder,
        tuned_ns=1.0, exact=True, grid=(dims["rows"], 1, 1), block=(32, 1, 1), cluster=(), shared_memory_bytes=64,
        programmatic=programmatic, arguments=names, scalars={"eps": 0.5, **dims}, symbol="kernel",
    )


def rmsnorm_kernel(cols):
    """rmsnorm as a launch sees it: by addresses."""

    def kernel(values, at):
        x, weight, y, rows, eps = values
        view = lambda address, *shape: torch.empty(0, dtype=torch.bfloat16).set_(at(address), 0, shape)  # noqa: E731
        assert abs(eps - 1e-6) < 1e-12, eps
        wide = cases.rms(view(x, rows, cols).float(), view(weight, cols).float())
        view(y, rows, cols).copy_(wide)

    return kernel, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_float)


def check_lifetimes(recorder):
    """A graph whose tensors are gone is found out; `Graphs` keeps them."""
    fake = rehearsal.Torch(recorder)
    clock = protocol.Clock(fake, "cpu")

    def graphs():
        buffers = [(torch.ones(8), torch.zeros(8)) for _ in range(3)]
        return clock.capture(lambda i: {"y": buffers[i][1].copy_(buffers[i][0])}, 3, 18)

    made = graphs()
    gc.collect()
    made.chain.replay()
    made.alone.replay()
    assert float(made.outputs[2]["y"].sum()) == 8.0
    made.call = None
    made.outputs.clear()
    made.alone_outputs.clear()
    gc.collect()
    for graph in (made.chain, made.alone):
        try:
            graph.replay()
        except rehearsal.IllegalAccess:
            continue
        raise AssertionError("a replay over freed memory went unnoticed")


def check_cell(recorder, folder, check_each):
    """A whole cell: a copy, torch and two of ours, timed; then contenders that are wrong in several ways."""
    fake = rehearsal.Torch(recorder)
    operation, dims = OPERATIONS["rmsnorm"], {"rows": 6, "cols": 64}
    kernel, kinds = rmsnorm_kernel(dims["cols"])
    library = rehearsal.Library(recorder, kinds, kernel)
    driver = Driver(library)
    steps = []
    cell = Cell(fake, protocol.Clock(fake, "cpu"), operation, (6, 64), 3, check_each, steps.append)
    cell.add_copy()
    assert cell.add_peers(["torch", "hf eager"]) == {}
    for programmatic in (True, False, False):
        cell.add_ours(driver, tuned(folder, dims, programmatic))
    assert cell.left_out == {} and set(cell.graphs) == {"copy", "torch", "hf eager", "ridge", "ridge pdl"}, cell.left_out
    first, last = library.launches[0], library.launches[-1]
    assert first["attributes"] == [(6, [1, 0, 0])] and last["attributes"] == [], (first, last)
    assert first["grid"] == (6, 1, 1) and first["stream"] == 0x57 and first["size"] == 56, first
    gc.collect()
    result = cell.result(cell.run(2))
    assert all(len(result["samples"][name][kind]) == 2 for name in cell.graphs for kind in ("chain", "alone"))
    assert all(time > 0 for time in result["samples"]["torch"]["chain"]), result["samples"]

    def wrong(i):
        return {"y": cell.inputs[i]["x"] * 2}

    def failing(i):
        raise ValueError("no such shape")

    assert not cell.add("liger", wrong) and "wrong" in cell.left_out["liger"]
    assert not cell.add("quack", failing) and cell.left_out["quack"] == "ValueError: no such shape"
    missing = Function(driver, tuned(folder, dims, False))
    try:
        Launch(missing, {"x": torch.zeros(1)})
    except DriverError as error:
        assert "weight" in str(error)
    else:
        raise AssertionError("a launch without its arguments was made")
    assert any(step.startswith("ridge pdl: ") for step in steps) and "after timing" in steps
    check_meddlers(cell, check_each)
    cell.close()


def check_meddlers(cell, check_each):
    """Who changes an input, or another's output, ends the cell with the step's name."""

    def meddling(i):
        outputs = {"y": cases.rms(cell.inputs[i]["x"], cell.inputs[i]["weight"])}
        if check_each:
            cell.graphs["torch"].outputs[0]["y"].zero_()
        else:
            cell.inputs[0]["x"].add_(1)
        return outputs

    try:
        cell.add("compile", meddling)
        cell.compare("at the end")
    except CellError as error:
        owner = "of torch, output `y` of set 0" if check_each else "input `x` of set 0"
        assert owner in str(error), error
        assert not check_each or "compile: warming up" in str(error), error
    else:
        raise AssertionError("what was changed went unnoticed")


def run(kernels):
    """Runs every check; an assertion says what is wrong."""
    check_formulas()
    check_against_specs(kernels)
    check_packing()
    protocol.FLUSH_BYTES = protocol.ALONE_FLUSH_BYTES = 4096
    for check_each in (False, True):
        recorder = rehearsal.Recorder()
        with tempfile.TemporaryDirectory() as scratch, torch.no_grad(), recorder:
            check_lifetimes(recorder)
            check_cell(recorder, pathlib.Path(scratch), check_each)
