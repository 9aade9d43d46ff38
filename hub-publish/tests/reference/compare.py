"""Runs every reference.py in a folder on the cases beside it: `compare.py FOLDER`."""

import importlib.util
import json
import pathlib
import sys

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

DTYPES = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "f8e4m3": torch.float8_e4m3fn,
    "f8e5m2": torch.float8_e5m2,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u32": torch.uint32,
    "u8": torch.uint8,
    "bool": torch.bool,
}


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem.replace("-", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tensor(described):
    values = torch.tensor([float(value) for value in described["data"]], dtype=torch.float64)
    return values.reshape(described["shape"]).to(DTYPES[described["dtype"]])


def wrong(case, module):
    """Why the outputs are not what they should be; None where they are."""
    inputs = [tensor(value) if isinstance(value, dict) else value for value in case["inputs"]]
    kept = [value.clone() if torch.is_tensor(value) else value for value in inputs]
    outputs = module.run(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for before, after in zip(kept, inputs):
        if torch.is_tensor(before) and not torch.equal(before.view(torch.uint8), after.view(torch.uint8)):
            return "an input was changed"
    pointers = {value.data_ptr() for value in inputs if torch.is_tensor(value)}
    for found, expected in zip(outputs, case["expected"], strict=True):
        if found.dtype != DTYPES[expected["dtype"]] or list(found.shape) != expected["shape"]:
            return f"{found.dtype} {list(found.shape)}, expected {expected['dtype']} {expected['shape']}"
        if not found.is_contiguous() or found.data_ptr() in pointers:
            return "not contiguous, or an input's own memory"
        values = torch.tensor([float(value) for value in expected["data"]], dtype=torch.float64)
        values = values.reshape(expected["shape"])
        error = (found.to(torch.float64) - values).abs()
        error = error.masked_fill(found.to(torch.float64) == values, 0.0)
        error = error.masked_fill(found.to(torch.float64).isnan() & values.isnan(), 0.0)
        # As the verifier has it: what the type cannot hold may be infinite or its largest.
        if found.dtype.is_floating_point:
            beyond = values.abs() > torch.finfo(found.dtype).max
            error = error.masked_fill(beyond & (found.to(torch.float64).sign() == values.sign()), 0.0)
        elif found.dtype != torch.bool and (error > 0).sum() <= 1 + found.numel() // 1000:
            # A real number between two integers may round to either in binary32.
            error = error.masked_fill(error <= 1, 0.0)
        bad = (error > expected["absolute"]) & (error > expected["relative"] * values.abs()) | error.isnan()
        if bad.any():
            at = bad.nonzero()[0].tolist()
            return f"{int(bad.sum())} wrong, {found[tuple(at)]} for {values[tuple(at)]} at {at}"
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(value) if torch.is_tensor(value) else value for value in inputs]
        shapes = module.run(*fake)
        shapes = shapes if isinstance(shapes, tuple) else (shapes,)
        for found, real in zip(shapes, outputs, strict=True):
            if found.shape != real.shape or found.dtype != real.dtype:
                return f"with fake tensors {found.dtype} {list(found.shape)}"
    return None


def main():
    folder = pathlib.Path(sys.argv[1])
    failures, count = 0, 0
    for path in sorted(folder.glob("*.json")):
        case = json.loads(path.read_text())
        count += 1
        try:
            reason = wrong(case, load(folder / f"{case['kernel']}.py"))
        except Exception as error:  # The script goes on with the others.
            reason = f"{type(error).__name__}: {error}"
        if reason:
            failures += 1
            print(f"{path.stem}: {reason}")
    print(f"{count} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
