"""Kernel Tuner's side: the same source, space, launches and inputs, in a process of its own.

`job.json` holds what `Job.describe` made; the answer goes to `answer.json` beside it. Kernel Tuner ends its
whole campaign at the first candidate that fails in a way it does not know, and leaves the context dead
where that was a fault on the device; so the caller starts this again, and Kernel Tuner resumes from its cache.
"""

import json
import pathlib
import sys
import time

import references

WRONG = "wrong.jsonl"  # candidates with wrong outputs, one a line


class Progress:
    """Which candidate is at work: what fails next is its fault."""

    def __init__(self, path):
        self.path, self.params = path, None

    def note(self, params, names):
        self.params = {name: params[name] for name in names}
        self.path.write_text(json.dumps(self.params))


def key(params, names):
    return tuple(params[name] for name in names)


def tune_parameters(job):
    """The spec's parameters, and sizes of a block that are numbers as parameters of one value."""
    parameters = {name: list(values) for name, values in job["parameters"].items()}
    names = []
    for axis, size in zip("xyz", job["block"]):
        if size in parameters:
            names.append(size)
        else:
            names.append(f"block_size_{axis}")
            parameters[names[-1]] = [int(size)]
    return parameters, names


def restriction(job):
    """Membership in the list of legal candidates, which makes the two spaces the same."""
    names = list(job["parameters"])
    excluded = {key(params, names) for params in job["excluded"]}
    legal = {key(launch["candidate"], names) for launch in job["launches"]} - excluded

    # A function and no lambda: Kernel Tuner rewrites the source text of those.
    def is_legal(params):
        return key(params, names) in legal

    return is_legal


class Judge:
    """Compares outputs with what is expected, and writes down who is wrong."""

    def __init__(self, job, expected, folder, progress):
        self.path, self.progress = folder / WRONG, progress
        tolerance = job["tolerance"]
        self.outputs = []
        for at, argument in enumerate(job["arguments"]):
            name = argument["name"]
            if name in expected:
                bound = tolerance["absolute"] + tolerance["relative"] * abs(expected[name])
                self.outputs.append((at, job["dtypes"][name], expected[name], bound))

    def __call__(self, answer, results, atol=None):
        del answer, atol  # the bounds are the spec's
        for at, dtype, expected, bound in self.outputs:
            found = references.decode(results[at], dtype).reshape(expected.shape)
            if not (abs(found - expected) <= bound).all():
                # To say no would end the campaign.
                with self.path.open("a") as file:
                    file.write(json.dumps(self.progress.params) + "\n")
                break
        return True


def kernel_arguments(job, inputs, expected):
    """The arguments in order, and Kernel Tuner's `answer` for them."""
    import numpy

    scalars = {"f32": numpy.float32, "f64": numpy.float64, "i32": numpy.int32, "i64": numpy.int64}
    arguments, answer = [], []
    for argument in job["arguments"]:
        name = argument["name"]
        if name in inputs:
            arguments.append(inputs[name])
        elif name in expected:
            arguments.append(references.poison(expected[name].shape, job["dtypes"][name]))
        else:
            arguments.append(scalars[argument["dtype"]](argument["value"]))
        answer.append(references.encode(expected[name], job["dtypes"][name]) if name in expected else None)
    return arguments, answer


def whole_uuid():
    """Lets Kernel Tuner read the device's UUID: CuPy hands it on as a C string, which ends at a byte that is 0."""
    import cupy

    runtime = getattr(getattr(cupy, "cuda", None), "runtime", None)
    get = getattr(runtime, "getDeviceProperties", None)
    if get is not None:
        runtime.getDeviceProperties = lambda device: (lambda them: them | {"uuid": them["uuid"].ljust(16, b"\0")})(get(device))


def tune(job, folder):
    """One call of `tune_kernel`: its seconds and, where it raised, what."""
    import kernel_tuner

    whole_uuid()
    from kernel_tuner.observers import BenchmarkObserver

    names = list(job["parameters"])
    launches = {key(launch["candidate"], names): launch for launch in job["launches"]}
    progress = Progress(folder / "current.json")
    inputs, expected = references.problem(job)
    arguments, answer = kernel_arguments(job, inputs, expected)
    judge = Judge(job, expected, folder, progress)
    verify = lambda answer, results, atol=None: judge(answer, results, atol)

    class Backend(BenchmarkObserver):
        """Holds Kernel Tuner's back end; measures nothing."""

        def get_results(self):
            return {}

    backend = Backend()

    def shared_memory(params):
        # Called between compilation and the first launch. Kernel Tuner itself does not allow kernels the
        # shared memory above 48 KiB that they ask for, and ends at the first that needs it.
        progress.note(params, names)
        size = launches[key(params, names)]["shared_memory_bytes"]
        if size > 48 << 10:
            backend.dev.func.max_dynamic_shared_size_bytes = size
        return size

    parameters, block_names = tune_parameters(job)
    one = lambda params: 1
    options = {
        "grid_div_x": one,
        "grid_div_y": one,
        "grid_div_z": one,
        "block_size_names": block_names,
        "restrictions": restriction(job),
        "answer": answer,
        "verify": verify,
        "lang": "CUPY",
        "smem_args": {"size": shared_memory},
        "defines": job["defines"],
        "compiler_options": job["compiler_options"],
        "observers": [backend],
        "strategy": "brute_force",
        "cache": str(folder / "cache.json"),
        "quiet": True,
    }
    grid = lambda params: tuple(launches[key(params, names)]["grid"])
    error = None
    started = time.perf_counter()
    try:
        kernel_tuner.tune_kernel(job["kernel_name"], job["source"], grid, arguments, parameters, **options)
    except Exception as exception:  # noqa: BLE001 (whatever it is, it belongs to the candidate at work)
        error = f"{type(exception).__name__}: {exception}"[:500]
    return time.perf_counter() - started, error


def run(folder):
    import cupy

    seconds, error = tune(json.loads((folder / "job.json").read_text()), folder)
    versions = {
        "kernel_tuner": version("kernel_tuner"),
        "cupy": cupy.__version__,
        "nvrtc": list(cupy.cuda.nvrtc.getVersion()),
    }
    answer = {"seconds": seconds, "error": error, "versions": versions}
    (folder / "answer.json").write_text(json.dumps(answer))


def version(package):
    from importlib.metadata import version

    return version(package)


def read_wrong(folder):
    """The candidates that were found wrong, each once."""
    lines = (folder / WRONG).read_text().splitlines() if (folder / WRONG).exists() else []
    return [json.loads(line) for line in dict.fromkeys(lines)]


def read_cache(path):
    """Kernel Tuner's cache, also of a run that was killed: its last line ends in a comma then."""
    if not path.exists():
        return {}
    text = path.read_text().rstrip().rstrip(",")
    for end in ("", "}}", "}\n}"):
        try:
            return json.loads(text + end)["cache"]
        except json.JSONDecodeError:
            continue
    return {}


if __name__ == "__main__":
    run(pathlib.Path(sys.argv[1]))
