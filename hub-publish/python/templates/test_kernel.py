"""Every tuned shape of @kernel@ against its mathematics in torch: `pytest tests`, with a GPU."""

import importlib
from pathlib import Path

import kernels
import pytest
import torch

WORKLOADS = @workloads@

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(scope="module")
def kernel():
    return kernels.get_local_kernel(Path(__file__).parents[1])


def check(kernel, axes, types):
    sample = importlib.import_module(f"{kernel.__name__}._ridge.sample")
    manifest = kernel._kernel.manifest
    arguments = sample.arguments(manifest, axes, types, "cuda")
    expected = kernel.reference.run(*arguments)
    assert sample.error(manifest, kernel.@function@(*arguments), expected) <= 1.0
    with kernel.chain():
        # Another kernel, where the shape has two.
        assert sample.error(manifest, kernel.@function@(*arguments), expected) <= 1.0


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload["name"])
def test_tuned_shape(kernel, workload):
    check(kernel, workload["axes"], workload["types"])


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload["name"])
def test_neighbouring_shape(kernel, workload):
    dynamic = set(kernel._kernel.manifest.axes_dynamic)
    axes = {name: n + 3 if name in dynamic else n for name, n in workload["axes"].items()}
    check(kernel, axes, workload["types"])
