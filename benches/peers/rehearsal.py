"""torch's CUDA as far as the comparison needs it, on a CPU, and strict about lifetimes.

A captured graph keeps what was allocated inside it and knows the rest by address only, as on a GPU. But a
replay that touches memory of a tensor that is gone ends in `IllegalAccess`, always: on a GPU it does so only
where the memory went back to the driver, and otherwise reads and writes what belongs to somebody else by then.
"""

import contextlib
import ctypes
import types

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

CONTEXT, MODULE, FUNCTION = 0xC0, 0x40, 0xF0
OP_MS = 0.001


class IllegalAccess(RuntimeError):
    """What a GPU may or may not notice."""


class Address:
    """A tensor outside the graph: where it lies, without keeping it alive."""

    def __init__(self, tensor):
        self.storage = StorageWeakRef(tensor.untyped_storage())
        self.view = (tensor.dtype, tensor.storage_offset(), tensor.size(), tensor.stride())

    def tensor(self):
        storage = torch.UntypedStorage._new_with_weak_ptr(self.storage.cdata)
        if storage is None:
            raise IllegalAccess(f"CUDA error: an illegal memory access, of {tuple(self.view[2])} elements that are gone")
        dtype, offset, size, stride = self.view
        return torch.empty(0, dtype=dtype).set_(storage, offset, size, stride)


class Graph:
    """A captured graph: operations, replayed in order into the same memory."""

    def __init__(self, mode):
        self.mode, self.nodes, self.own = mode, [], {}

    def refer(self, tensor):
        return tensor if id_of(tensor) in self.own else Address(tensor)

    def record(self, function, arguments, keywords, result):
        inputs = {id_of(tensor) for tensor in tensors_in((arguments, keywords))}
        for tensor in tensors_in(result):
            if id_of(tensor) not in inputs:
                self.own[id_of(tensor)] = tensor
        refer = lambda tree: tree_map_only(torch.Tensor, self.refer, tree)  # noqa: E731
        made = [tensor for tensor in tensors_in(result) if id_of(tensor) not in inputs]
        self.nodes.append((function, refer(arguments), refer(keywords), made))

    def replay(self):
        for function, arguments, keywords, made in self.nodes:
            found = lambda tree: tree_map_only(Address, Address.tensor, tree)  # noqa: E731
            result = function(*found(arguments), **found(keywords))
            for old, new in zip(made, tensors_in(result), strict=False):
                old.copy_(new)
            self.mode.now_ms += OP_MS

    def reset(self):
        self.nodes.clear()
        self.own.clear()


def id_of(tensor):
    return tensor.untyped_storage()._cdata


def tensors_in(tree):
    found = []
    tree_map_only(torch.Tensor, found.append, tree)
    return found


class Recorder(TorchDispatchMode):
    """Sees every operation: where tensors lie, and what a graph under capture has to do."""

    def __init__(self):
        super().__init__()
        self.capturing, self.storages, self.now_ms = None, {}, 0.0

    def __torch_dispatch__(self, function, _types, arguments=(), keywords=None):
        result = function(*arguments, **(keywords or {}))
        for tensor in tensors_in(result):
            storage = tensor.untyped_storage()
            self.storages[storage.data_ptr()] = StorageWeakRef(storage)
        if self.capturing is not None:
            self.capturing.record(function, arguments, keywords or {}, result)
        return result

    def at(self, address):
        """The storage that begins at an address that a launch was given."""
        known = self.storages.get(address)
        storage = None if known is None else torch.UntypedStorage._new_with_weak_ptr(known.cdata)
        if storage is None:
            raise IllegalAccess(f"CUDA error: an illegal memory access at {address:#x}")
        return storage


class Event:
    def __init__(self, recorder):
        self.recorder, self.ms = recorder, None

    def record(self):
        self.ms = self.recorder.now_ms

    def elapsed_time(self, end):
        return end.ms - self.ms


class Cuda:
    """What is used of `torch.cuda`."""

    def __init__(self, recorder, l2_bytes):
        self.recorder = recorder
        self.properties = types.SimpleNamespace(L2_cache_size=l2_bytes)
        self.one_stream = types.SimpleNamespace(cuda_stream=0x57, wait_stream=lambda other: None)

    def get_device_properties(self, _device):
        return self.properties

    def Stream(self):  # noqa: N802 (torch's name)
        return self.one_stream

    def current_stream(self):
        return self.one_stream

    def stream(self, _stream):
        return contextlib.nullcontext()

    def synchronize(self):
        assert self.recorder.capturing is None, "synchronised during a capture"

    def empty_cache(self):
        return None

    def _sleep(self, _cycles):
        return None

    def Event(self, enable_timing):  # noqa: N802
        assert enable_timing
        return Event(self.recorder)

    def CUDAGraph(self):  # noqa: N802
        return Graph(self.recorder)

    @contextlib.contextmanager
    def graph(self, graph):
        assert self.recorder.capturing is None, "one capture inside another"
        self.recorder.capturing = graph
        try:
            yield
        finally:
            self.recorder.capturing = None


class Torch:
    """torch, with another `cuda`."""

    def __init__(self, recorder, l2_bytes=4096):
        self.cuda = Cuda(recorder, l2_bytes)

    def __getattr__(self, name):
        return getattr(torch, name)


class Library:
    """The driver's library: launches `kernel(arguments, at)` with the arguments as read back from their bytes.

    `kinds` are their ctypes in order; `at(address)` is the storage there.
    """

    def __init__(self, recorder, kinds, kernel):
        self.launches = []

        def get_current(context):
            context._obj.value = CONTEXT
            return 0

        def load(module, image):
            module._obj.value = MODULE
            return 0 if image else 200

        def get_function(function, module, symbol):
            function._obj.value = FUNCTION
            return 0 if module.value == MODULE and symbol else 500

        def launch(config, function, pointers, extra):
            assert function.value == FUNCTION and extra is None
            values = [kind.from_address(pointer).value for kind, pointer in zip(kinds, pointers, strict=True)]
            self.launches.append(copied(config._obj))

            def run():
                kernel(values, recorder.at)

            if recorder.capturing is not None:
                recorder.capturing.nodes.append((run, (), {}, []))
            # While it is captured nothing runs on a GPU; here it does no harm.
            run()
            return 0

        def name(_status, text):
            text._obj.value = b"CUDA_ERROR_OF_THE_REHEARSAL"
            return 0

        self.cuCtxGetCurrent, self.cuModuleLoadData, self.cuModuleGetFunction = get_current, load, get_function
        self.cuLaunchKernelEx, self.cuGetErrorName = launch, name
        self.cuFuncSetAttribute = lambda function, attribute, value: 0


def copied(config):
    """A launch's configuration as plain numbers."""
    attributes = [(config.attributes[i].id, list(config.attributes[i].value[:3])) for i in range(config.n_attributes)]
    return {
        "grid": tuple(config.grid), "block": tuple(config.block), "shared": config.shared_memory_bytes,
        "stream": config.stream, "attributes": attributes, "size": ctypes.sizeof(config),
    }
