"""Benchmarks of @kernel@ on the shapes it was tuned for: `kernels benchmark .`

The times are those of a host that waits for the GPU after every call. Device times come from
Ridge's own measurement; the table in the card has them.
"""

import importlib

import torch
from kernels.benchmark import Benchmark

WORKLOADS = @workloads@

# What `kernels benchmark` allows, which is the same for every kernel.
ALLOWED = 1e-2


class Tuned(Benchmark):
    """A method a workload, made below."""

    seed = 0


def _add(workload):
    def setup(self):
        self.sample = importlib.import_module(f"{self.kernel.__name__}._ridge.sample")
        self.manifest = self.kernel._kernel.manifest
        self.arguments = self.sample.arguments(
            self.manifest, workload["axes"], workload["types"], self.device
        )

    def benchmark(self):
        self.result = self.kernel.@function@(*self.arguments)

    def verify(self):
        # The runner compares with a tolerance that is not this kernel's, so it gets the error in
        # units of this kernel's tolerance.
        expected = self.kernel.reference.run(*self.arguments)
        units = self.sample.error(self.manifest, self.result, expected)
        self.out = torch.tensor(units * ALLOWED)
        return torch.tensor(0.0)

    name = workload["name"].replace("-", "_").replace(".", "_")
    setattr(Tuned, f"setup_{name}", setup)
    setattr(Tuned, f"benchmark_{name}", benchmark)
    setattr(Tuned, f"verify_{name}", verify)


for _workload in WORKLOADS:
    _add(_workload)
