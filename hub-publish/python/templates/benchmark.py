"""Benchmarks of @kernel@ on the shapes it was tuned for: `kernels benchmark .`

Each shape is called alone, as a call is by default, and as one in a chain (`…_chain`). The times are
those of a host that waits for the GPU after every call, so that no kernel comes just before and what
the two situations are about does not show: they say what either kernel takes as such. Device times
come from Ridge's own measurement; the table in the card has them.
"""

import contextlib
import importlib

import torch
from kernels.benchmark import Benchmark

WORKLOADS = @workloads@

# What `kernels benchmark` allows, which is the same for every kernel.
ALLOWED = 1e-2


class Tuned(Benchmark):
    """A method a workload, made below."""

    seed = 0


def _add(workload, ending, context):
    def setup(self):
        self.sample = importlib.import_module(f"{self.kernel.__name__}._ridge.sample")
        self.manifest = self.kernel._kernel.manifest
        self.arguments = self.sample.arguments(
            self.manifest, workload["axes"], workload["types"], self.device
        )

    def benchmark(self):
        with context(self.kernel):
            self.result = self.kernel.@function@(*self.arguments)

    def verify(self):
        # The runner compares with a tolerance that is not this kernel's, so it gets the error in
        # units of this kernel's tolerance.
        expected = self.kernel.reference.run(*self.arguments)
        units = self.sample.error(self.manifest, self.result, expected)
        self.out = torch.tensor(units * ALLOWED)
        return torch.tensor(0.0)

    name = workload["name"].replace("-", "_").replace(".", "_") + ending
    setattr(Tuned, f"setup_{name}", setup)
    setattr(Tuned, f"benchmark_{name}", benchmark)
    setattr(Tuned, f"verify_{name}", verify)


for _workload in WORKLOADS:
    _add(_workload, "", lambda kernel: contextlib.nullcontext())
    _add(_workload, "_chain", lambda kernel: kernel.chain())
