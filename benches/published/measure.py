"""Published repositories on a GPU, through the real `kernels`: right, composable, as fast as tuned.

    python measure.py FOLDER... [--json FILE] [--parts correct,graph,...] [--device cpu]

FOLDER is what `ridge publish --to-folder` wrote. Every part stands alone: what goes wrong in one is
in its answer as an error, and the others go on. `--device cpu` rehearses the parts that need no GPU.
Exit status: 0 all hold, 1 something does not, 2 something could not be measured.
"""

import argparse
import contextlib
import importlib.util
import itertools
import json
import platform
import subprocess
import sys
import traceback
import warnings
from importlib import import_module, metadata
from pathlib import Path

import timing
import torch
import torch.nn.functional as F
from device_time import alone_time, device_time

try:
    import kernels
except ImportError:
    # What it would have loaded is loaded by path, and the answer says so.
    kernels = None

# What must hold.
HOST_RATIO = 1.2

# Extents tried for a dynamic axis besides the tuned ones.
OTHER_EXTENTS = (1, 2, 3, 17, 100, 1000, 5003)
CUDA_PARTS = ("cold_capture", "graph", "streams", "device_time", "alone_time")


class Published:
    """A repository as a consumer has it."""

    def __init__(self, folder, device):
        self.folder = Path(folder)
        self.device = device
        self.module = load(self.folder)
        self.manifest = self.module._kernel.manifest
        self.function = getattr(self.module, self.manifest.function)
        self.sample = import_module(f"{self.module.__name__}._ridge.sample")
        tuned = [entry for entry in self.manifest.entries if entry.rule == "tuned"]
        # One a shape; the second entries of shapes that have two are for calls alone.
        self.tuned = [entry for entry in tuned if entry.situation != "alone"]
        self.alone = {self.key(entry): entry for entry in tuned if entry.situation == "alone"}

    @staticmethod
    def key(entry):
        """What a shape's two entries have in common."""
        return json.dumps([entry.device, entry.axes, entry.types], sort_keys=True)

    def in_situation(self, situation):
        """A context in which calls are in this situation."""
        return self.module.chain() if situation == "chain" else contextlib.nullcontext()

    def arguments(self, axes, types, seed=0):
        return self.sample.arguments(self.manifest, axes, types, self.device, seed)

    def error(self, arguments, result):
        """The result's error in units of the tolerance."""
        expected = self.module.reference.run(*arguments)
        return self.sample.error(self.manifest, result, expected)

    def smallest(self):
        """The tuned entry with the fewest elements."""

        def elements(entry):
            count = 1
            for extent in entry.axes.values():
                count *= extent
            return count

        return min(self.tuned, key=elements)

    def others(self):
        """Extents and types that were not tuned."""
        dynamic = self.manifest.axes_dynamic
        seen = set()
        for entry in self.tuned:
            fixed = {axis: n for axis, n in entry.axes.items() if axis not in dynamic}
            for extent in OTHER_EXTENTS:
                axes = {**fixed, **{axis: extent for axis in dynamic}}
                key = json.dumps([axes, entry.types], sort_keys=True)
                if key not in seen and not any(axes == other.axes for other in self.tuned):
                    seen.add(key)
                    yield axes, entry.types


def load(folder):
    """The variant for NVIDIA GPUs, by `kernels` where that is installed."""
    if kernels is not None:
        return kernels.get_local_kernel(folder)
    home = folder / "build" / "torch-cuda"
    name = json.loads((home / "metadata.json").read_text())["id"]
    spec = importlib.util.spec_from_file_location(name, home / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def correct(published):
    """Every tuned shape, shapes beside them, other types; results against the mathematics in torch."""
    cases = [(entry.axes, entry.types, "tuned") for entry in published.tuned]
    cases += [(axes, types, "untuned") for axes, types in published.others()]
    axes, types = published.smallest().axes, published.smallest().types
    for name, allowed in published.manifest.types.items():
        cases += [(axes, {**types, name: word}, "type") for word in allowed if word != types[name]]
    situations = ("alone", "chain") if published.alone else ("alone",)
    answers = []
    for (axes, types, kind), situation in itertools.product(cases, situations):
        arguments = published.arguments(axes, types)
        with warnings.catch_warnings(), published.in_situation(situation):
            warnings.simplefilter("ignore")
            result = published.function(*arguments)
            again = published.function(*arguments)
            choice = published.module.why(*arguments)
        case = {"kind": kind, "axes": axes, "types": types, "situation": situation}
        case["rule"] = choice.rule
        case["error"] = published.error(arguments, result)
        case["repeats"] = all(map(torch.equal, _bytes(result), _bytes(again)))
        case["holds"] = case["error"] <= 1.0 and case["repeats"]
        answers.append(case)
        del arguments, result, again
    return {"holds": all(case["holds"] for case in answers), "cases": answers}


def _bytes(result):
    tensors = result if isinstance(result, tuple) else (result,)
    return [tensor.contiguous().view(-1).view(torch.uint8) for tensor in tensors]


def shapes(published):
    """Several dimensions in place of the leading axis, strided and misaligned inputs, `out`."""
    entry = published.smallest()
    leading = published.manifest.leading_axis
    answers = {}
    if leading is not None:
        arguments = published.arguments({**entry.axes, leading: 24}, entry.types)
        expected = published.function(*arguments)
        folded = []
        for value, argument in zip(published.manifest.inputs, arguments):
            has = value.shape is not None and leading in value.shape
            folded.append(argument.unflatten(0, (2, 3, 4)) if has else argument)
        result = published.function(*folded)
        answers["dimensions"] = all(map(torch.equal, _bytes(result), _bytes(expected)))
    arguments = published.arguments(entry.axes, entry.types)
    expected = published.function(*arguments)
    for name, change in (("strided", _strided), ("misaligned", _misaligned)):
        changed = [change(a) if torch.is_tensor(a) and a.dim() else a for a in arguments]
        result = published.function(*changed)
        answers[name] = all(map(torch.equal, _bytes(result), _bytes(expected)))
    targets = expected if isinstance(expected, tuple) else (expected,)
    targets = tuple(torch.empty_like(target) for target in targets)
    published.function(*arguments, out=targets if len(targets) > 1 else targets[0])
    answers["out"] = all(map(torch.equal, _bytes(targets), _bytes(expected)))
    return {"holds": all(answers.values()), **answers}


def _strided(tensor):
    wide = torch.empty((*tensor.shape, 2), dtype=tensor.dtype, device=tensor.device)
    wide[..., 0] = tensor
    return wide[..., 0]


def _misaligned(tensor):
    storage = torch.empty(tensor.numel() + 1, dtype=tensor.dtype, device=tensor.device)
    storage[1:] = tensor.reshape(-1)
    return storage[1:].view(tensor.shape)


def refusals(published):
    """What must end in an error that says what to do."""
    entry = published.smallest()
    arguments = list(published.arguments(entry.axes, entry.types))
    inputs = published.manifest.inputs
    place = next(at for at, value in enumerate(inputs) if value.shape is not None)
    answers = {}
    floating = [a for a in arguments if torch.is_tensor(a) and a.is_floating_point()]
    if floating:
        floating[0].requires_grad_()
        answers["gradients"] = _refusal(published.function, arguments, RuntimeError)
        floating[0].requires_grad_(False)
    wrong = [*arguments]
    wrong[place] = [1.0]
    answers["no_tensor"] = _refusal(published.function, wrong, TypeError)
    wrong[place] = arguments[place].to(torch.complex64)
    answers["dtype"] = _refusal(published.function, wrong, TypeError)
    return {"holds": all(answers.values()), **answers}


def _refusal(function, arguments, kind):
    try:
        function(*arguments)
    except kind as error:
        return str(error)
    return None


def compiled(published):
    """`torch.compile` without a break, with inductor and, where that has no compiler, without."""
    entry = published.smallest()
    arguments = published.arguments(entry.axes, entry.types)
    expected = published.function(*arguments)
    answers = {}
    for backend in ("inductor", "aot_eager"):
        torch._dynamo.reset()
        try:
            function = torch.compile(published.function, fullgraph=True, backend=backend)
            with torch.no_grad():
                result = function(*arguments)
            answers[backend] = all(map(torch.equal, _bytes(result), _bytes(expected)))
        except Exception as error:
            answers[backend] = f"{type(error).__name__}: {error}"[:500]
    return {"holds": all(answer is True for answer in answers.values()), **answers}


def cold_capture(published):
    """The very first call of a process inside a capture: modules are loaded there."""
    command = [sys.executable, __file__, str(published.folder), "--parts", "graph"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    try:
        return json.loads(done.stdout)["kernels"][0]["parts"]["graph"]
    except ValueError:
        return {"error": done.stderr[-2000:]}


def graph(published):
    """A call in a CUDA graph, replayed on other inputs."""
    entry = published.smallest()
    arguments = published.arguments(entry.axes, entry.types, seed=1)
    others = published.arguments(entry.axes, entry.types, seed=2)
    captured = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(captured):
        result = published.function(*arguments)
    for argument, other in zip(arguments, others):
        if torch.is_tensor(argument):
            argument.copy_(other)
    captured.replay()
    captured.replay()
    torch.cuda.synchronize()
    expected = published.function(*others)
    holds = all(map(torch.equal, _bytes(result), _bytes(expected)))
    return {"holds": holds, "error": published.error(others, result)}


def streams(published):
    """Another stream, another thread, and another GPU where there is one."""
    import threading

    entry = published.smallest()
    arguments = published.arguments(entry.axes, entry.types)
    expected = published.function(*arguments)
    answers = {}
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = published.function(*arguments)
    stream.synchronize()
    answers["stream"] = all(map(torch.equal, _bytes(result), _bytes(expected)))
    results = []
    thread = threading.Thread(target=lambda: results.append(published.function(*arguments)))
    thread.start()
    thread.join()
    torch.cuda.synchronize()
    answers["thread"] = bool(results) and all(
        map(torch.equal, _bytes(results[0]), _bytes(expected))
    )
    if torch.cuda.device_count() > 1:
        moved = [a.to("cuda:1") if torch.is_tensor(a) else a for a in arguments]
        result = published.function(*moved)
        torch.cuda.synchronize(1)
        there = all(tensor.device.index == 1 for tensor in _bytes(result))
        same = zip(_bytes(result), _bytes(expected))
        answers["device"] = there and all(torch.equal(a.cpu(), b.cpu()) for a, b in same)
    return {"holds": all(answers.values()), **answers}


def host_cost(published):
    """Host time of a call beside that of torch's own row operations, in turns."""
    entry = published.smallest()
    dynamic = published.manifest.axes_dynamic
    axes = {axis: min(n, 16) if axis in dynamic else n for axis, n in entry.axes.items()}
    arguments = published.arguments(axes, entry.types)
    x = torch.randn(16, 4096, dtype=torch.bfloat16, device=published.device)
    weight = torch.ones(4096, dtype=torch.bfloat16, device=published.device)
    function, module = published.function, published.module

    def in_chain():
        # Entered for every call: what it costs is part of it.
        with module.chain():
            function(*arguments)

    calls = {
        "this": lambda: function(*arguments),
        "this_in_chain": in_chain,
        "operator": lambda: module._operator(*arguments),
        "rms_norm": lambda: F.rms_norm(x, (4096,), weight, 1e-6),
        "layer_norm": lambda: F.layer_norm(x, (4096,), weight, weight),
        "softmax": lambda: F.softmax(x, -1),
        "silu_mul": lambda: F.silu(x) * x,
    }
    on_gpu = published.device == "cuda"
    synchronize = torch.cuda.synchronize if on_gpu else lambda: None
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rule = module.why(*arguments).rule
        # Without a GPU the calls compute: a rehearsal, not a measurement.
        costs = timing.host_ns(calls, synchronize, timing.HOST_CALLS if on_gpu else 1)
    ratio = costs["this"] / costs["rms_norm"]
    costs = {name: round(cost) for name, cost in costs.items()}
    return {"holds": ratio <= HOST_RATIO, "rule": rule, "ratio": ratio, "host_ns": costs}


PARTS = {
    part.__name__: part
    for part in (
        cold_capture,
        correct,
        shapes,
        refusals,
        compiled,
        graph,
        streams,
        host_cost,
        device_time,
        alone_time,
    )
}


def environment(device):
    """What the numbers hold for."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    found["kernels"] = metadata.version("kernels") if kernels else "not installed: loaded by path"
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {"device": properties.name, "l2_bytes": properties.L2_cache_size}
        found |= {"devices": torch.cuda.device_count(), "cuda": torch.version.cuda}
    return found


def measure(folder, parts, device):
    """The answers of every part for one repository."""
    answer = {"folder": Path(folder).name, "parts": {}}
    try:
        published = Published(folder, device)
    except Exception as error:
        return answer | {"error": f"{type(error).__name__}: {error}"}
    manifest = published.manifest
    answer |= {"kernel": manifest.kernel, "build": published.module.__name__}
    for name in parts:
        if device == "cpu" and name in CUDA_PARTS:
            answer["parts"][name] = {"skipped": "needs a GPU"}
            continue
        try:
            with torch.no_grad() if name != "refusals" else torch.enable_grad():
                answer["parts"][name] = PARTS[name](published)
        except Exception as error:
            text = traceback.format_exc(limit=-4)
            kind = type(error).__name__
            answer["parts"][name] = {"error": f"{kind}: {error}"[:2000], "traceback": text}
        say(answer["kernel"], name, answer["parts"][name])
    return answer


def say(kernel, name, part):
    """One line a part, and one for each case that does not hold."""
    verdict = part.get("error") or part.get("skipped") or ("holds" if part["holds"] else "DOES NOT")
    ratio = f" ratio {part['ratio']:.2f}" if "ratio" in part else ""
    print(f"{kernel:20} {name:14} {verdict}{ratio}", file=sys.stderr, flush=True)
    for case in part.get("cases", ()):
        if "ratio" in case:
            text = f"{case['workload']}: {case['median_ns']} ns, tuned {case['campaign_ns']} ns"
            print(f"    {text}, ratio {case['ratio']:.3f}", file=sys.stderr)
        elif not case["holds"]:
            print(f"    {case}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options = parser.parse_args()
    parts = options.parts.split(",")
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        parser.error(f"no part `{unknown[0]}`: {', '.join(PARTS)}")
    answers = [measure(folder, parts, options.device) for folder in options.folders]
    report = {"environment": environment(options.device), "kernels": answers}
    text = json.dumps(report, indent=1)
    if options.json:
        Path(options.json).write_text(text + "\n")
    else:
        print(text)
    failed = [answer for answer in answers if "error" in answer]
    found = [part for answer in answers for part in answer["parts"].values()]
    if failed or any("error" in part and "holds" not in part for part in found):
        return 2
    return 0 if all(part.get("holds", True) for part in found) else 1


if __name__ == "__main__":
    sys.exit(main())
