"""What the tests share: kernels on a stub driver, with CPU tensors in the place of the GPU's."""

import atexit
import contextlib
import importlib
import importlib.util
import itertools
import shutil
import sys
import tempfile
from pathlib import Path

import render
import torch
from stub_driver import StubDriver

_builds = itertools.count()
_folder = Path(tempfile.mkdtemp(prefix="ridge-published-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
_stub = StubDriver(_folder)


def fresh_folder():
    """An empty folder that is gone when the tests are."""
    return Path(tempfile.mkdtemp(dir=_folder))


class CpuAsGpu:
    """`_ridge.platform.TorchCuda` where tensors of the CPU count as those of GPU -1."""

    def __init__(self, name="NVIDIA H200"):
        self.device_name = name
        self.device = -1
        self.stream = 0
        self.capturing = False
        self.empty_strided = torch._C._dynamo.guards._empty_strided_cpu

    def current_device(self):
        return self.device

    def current_stream(self, index):
        return self.stream

    def is_capturing(self):
        return self.capturing

    def is_gpu(self, device):
        return True

    def name(self, index):
        return self.device_name

    @contextlib.contextmanager
    def on(self, index):
        before, self.device = self.device, index
        yield
        self.device = before


class Published:
    """A rendered variant, imported, with the stub under it."""

    def __init__(self, manifest, reference=render.RMSNORM_REFERENCE, device="NVIDIA H200"):
        build = f"{next(_builds):07x}"
        self.home = render.variant(_folder / build, manifest, "cuda", reference, build)
        self.module = load(self.home, f"_{manifest['function']}_cuda_{build}")
        self.stub = _stub
        self.stub.library.stub_reset()
        self.platform = CpuAsGpu(device)
        driver = self.inside("driver").Driver(self.stub.path)
        kind = self.inside("kernel").CudaKernel
        name = self.module.__name__
        self.kernel = kind(self.home, name, self.platform, driver)
        self.module._kernel, self.module._call = self.kernel, self.kernel.call

    def inside(self, name):
        """A module of its `_ridge`."""
        return importlib.import_module(f"{self.module.__name__}._ridge.{name}")

    @property
    def function(self):
        return getattr(self.module, self.kernel.manifest.function)

    def last(self):
        """The last launch."""
        return self.stub.launches()[-1]


def load(home, name):
    """Imports a variant's folder as `kernels` does."""
    spec = importlib.util.spec_from_file_location(name, Path(home) / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
