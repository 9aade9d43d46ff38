"""Tries `compare.py` without a GPU: a made-up `ridge` and a made-up CuPy below the real Kernel Tuner.

Needs `kernel_tuner` and `numpy`. The made-up kernel is right except for one candidate that is wrong and one
that takes its process down, so that both are seen to cost themselves and no more.
"""

import itertools
import json
import os
import pathlib
import sys
import tempfile
import tomllib
from unittest import mock

import campaigns
import compare
import references

FAKE_CUPY = """
import os, time, numpy
ndarray = type("ndarray", (), {})
__version__ = "made up"
array = numpy.array
asnumpy = numpy.array
asarray = numpy.asarray
copyto = numpy.copyto
class Function:
    num_regs = 32
    max_dynamic_shared_size_bytes = 48 << 10
    def __init__(self, name): self.name = name
    def __call__(self, grid, threads, arguments, stream=None, shared_mem=0):
        import references
        if shared_mem > self.max_dynamic_shared_size_bytes: raise RuntimeError("CUDA_ERROR_INVALID_VALUE")
        if "64, 1, 16, Hold::registers" in self.name: os._exit(3)
        x, weight, y, rows, eps = arguments
        values = {"x": references.decode(x, "bf16"), "weight": references.decode(weight, "bf16")}
        found = references.rmsnorm(values, {"eps": float(eps)})["y"]
        if "128, 1, 8, Hold::shared" in self.name: found = found * 1.5
        y[...] = references.encode(found, "bf16")
class RawModule:
    def __init__(self, code, options, name_expressions):
        assert "#define RIDGE_COLS 512" in code and "#define RIDGE_T __nv_bfloat16" in code, code[:400]
        assert "-std=c++20" in options
    def get_function(self, name): return Function(name)
class cuda:
    class Device:
        attributes = {"MaxThreadsPerBlock": 1024}
        compute_capability = "90"
        def __init__(self, _): pass
        def use(self): pass
        def synchronize(self): pass
    class Stream: pass
    class Event:
        done = True
        def record(self, stream=None): self.at = time.perf_counter()
    get_elapsed_time = staticmethod(lambda start, end: (end.at - start.at) * 1e3)
    class runtime:
        driverGetVersion = staticmethod(lambda: 13000)
        getDeviceProperties = staticmethod(lambda _: {"uuid": bytes(16)})
    class nvrtc:
        getVersion = staticmethod(lambda: (13, 0))
"""
FAKE_CUPYX = """
def get_runtime_info(): return "Device 0 Name : Made Up\\nDevice 0 PCI Bus ID : 0\\n"
"""


class Limits:
    shared_memory_per_block_bytes = 232448
    registers_per_multiprocessor = 65536
    threads_per_multiprocessor = 2048


def fake_ridge(arguments):
    """What `ridge tune FOLDER … --out DIR --cache DIR` leaves behind, with times that are made up."""
    flag = lambda name: arguments[arguments.index(name) + 1]
    folder, out, cache = pathlib.Path(arguments[1]), pathlib.Path(flag("--out")), pathlib.Path(flag("--cache"))
    spec = tomllib.loads((folder / "kernel.toml").read_text())
    workload = compare.find_workload(spec, flag("--workload"))
    parameters = spec["space"]["parameters"]
    artifact = cache / "artifacts" / "key"
    artifact.mkdir(parents=True)
    out.mkdir(parents=True)
    layout = [{"offset_bytes": 0, "size_bytes": size, "align_bytes": size} for size in (8, 8, 8, 4, 4)]
    artifact.joinpath("manifest.json").write_text(
        json.dumps({"compiled": {"digest": "abc", "manifest": {"entry_symbol": "rmsnorm", "parameters": layout}}})
    )
    lines = []
    for values in itertools.product(*parameters.values()):
        candidate = dict(zip(parameters, values))
        scope = {**workload["axes"], **workload["types"], **candidate, "device": Limits}
        if not all(campaigns.evaluate(one, scope) for one in spec["space"]["constraints"]):
            continue
        size = lambda expressions, scope=scope: (
            [campaigns.evaluate(str(one), scope) for one in expressions] + [1] * (3 - len(expressions))
        )
        launch = {
            "grid": size(spec["launch"]["grid"]),
            "block": size(spec["launch"]["block"]),
            "shared_memory_bytes": campaigns.evaluate(spec["launch"]["shared_memory_bytes"], scope),
            "programmatic": candidate["pdl"] != "off",
        }
        lines.append(
            {
                "digest": str(len(lines)),
                "kernel": "rmsnorm",
                "spec": "s",
                "workload": workload,
                "candidate": candidate,
                "artifact": "abc",
                "launch": launch,
                "phases": {"compile_ns": 10**8},
                "tool_version": "made up",
                "outcome": {"measured": {"latency_ns": [9000 + len(lines)]}},
            }
        )
    (out / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (out / "tuned.toml").write_text(f'[[entry]]\nkernel = "rmsnorm"\nworkload = "{workload["name"]}"\nrecord = "0"\n')


def run():
    assert references.encode(
        references.decode(references.numpy.array([0x3F80, 0xC2F7], "uint16"), "bf16"), "bf16"
    ).tolist() == [0x3F80, 0xC2F7]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "cupyx").mkdir()
        (folder / "cupyx" / "__init__.py").write_text(FAKE_CUPYX)
        (folder / "cupy").mkdir()
        (folder / "cupy" / "__init__.py").write_text(FAKE_CUPY)
        here = pathlib.Path(compare.__file__).resolve()
        ridge = folder / "ridge"
        paths = [str(here.parent), str(here.parent.parent / "peers")]
        ridge.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path[:0] = {paths!r}\n"
            "import self_test\nself_test.fake_ridge(sys.argv[1:])\n"
        )
        ridge.chmod(0o755)
        kernel = make_kernel(folder / "small")
        command = [
            "compare.py",
            "--ridge",
            str(ridge),
            "--kernel",
            str(kernel),
            "--workload",
            "small",
            "--no-remeasure",
            "--out",
            str(folder / "out"),
            "--space",
            "pdl=off",
            "--space",
            "threads_per_row=64,128",
            "--space",
            "resident_warps=0",
            "--space",
            "rows_per_block=1",
        ]
        with (
            mock.patch.dict(
                os.environ, PYTHONPATH=os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
            ),
            mock.patch.object(sys, "argv", command),
        ):
            compare.main()
        answer = json.loads((folder / "out" / "comparison.json").read_text())
    theirs = answer["kernel_tuner"]
    assert answer["space_size"] == answer["ridge"]["candidates"] == theirs["of"] > 4
    assert [end["error"] for end in theirs["ended"]] == ["exit status 3"] * len(theirs["ended"]) and theirs["ended"], (
        theirs["ended"]
    )
    assert theirs["candidates"] == theirs["of"] - len(theirs["ended"]), theirs
    assert theirs["wrong"] and all(one["hold"] == "shared" for one in theirs["wrong"]), theirs["wrong"]
    assert not theirs["stopped"] and theirs["winner"] and theirs["versions"]["cupy"] == "made up"
    print("self-test passed")


def make_kernel(to):
    """The library's rmsnorm with one more workload that a CPU gets through."""
    import shutil

    shutil.copytree(compare.REPOSITORY / "kernels" / "rmsnorm", to)
    with (to / "kernel.toml").open("a") as file:
        file.write(
            '\n[[workloads]]\nname = "small"\naxes = { rows = 64, cols = 512 }\ntypes = { T = "bf16" }\nrole = "tune"\n'
        )
    return to
