"""From the shapes of a call to the function that launches an entry for them."""

import math
import struct
import threading
import weakref
from dataclasses import replace

import torch

from . import platform as platforms
from .choice import Choice, Device, candidates, configure
from .driver import CONTEXT_STATUSES, Driver, DriverError, Functions, Slot
from .source import define, launcher_source


class Launchers:
    """Chooses entries for one kernel, and makes launchers."""

    def __init__(self, manifest, signature, folder, package, platform, driver):
        """driver: a Driver, or None for the system's, loaded when it is first needed."""
        self._manifest = manifest
        self._signature = signature
        self._folder = folder
        self._package = package
        self._platform = platform
        self._driver = driver
        self._lock = threading.Lock()
        self._functions = {}
        self._makers = {}
        self._settled = Settled(platform.is_capturing)
        # Every entry's alignment at once: allocations of torch have far more.
        self.mask = max([16, *(entry.alignment_bytes for entry in manifest.entries)]) - 1

    def resolve(self, binding, tensor, situation):
        """The Choice for tensors where `tensor` is, and the function to launch or None."""
        extents = binding.extents
        shapes = [[extents[axis] for axis in value.shape] for value in self._manifest.outputs]
        if all(0 in shape for shape in shapes):
            return Choice("empty", reason="no output has an element"), None
        if not self._platform.is_gpu(tensor.device):
            return Choice("reference", reason=f"the inputs are on {tensor.device}"), None
        if 0 in extents.values():
            return Choice("reference", reason="an input has no element"), None
        try:
            functions = self._functions_of(tensor.get_device())
        except DriverError as error:
            return Choice("reference", reason=str(error)), None
        with self._platform.on(tensor.get_device()):
            return self._choose(binding, functions.device, functions, situation)

    def choose(self, binding, device, situation):
        """The Choice on a GPU that need not be there: `(name, (major, minor))`."""
        return self._choose(binding, Device(*device), None, situation)[0]

    def make(self, choice, function, binding, tensor, careful):
        """The launcher of a choice, for tensors where `tensor` is.

        It takes the inputs, contiguous tensors and Python numbers of the declared kinds, and `out`,
        and hands both to `careful` where they are not as the kernel needs them. Its `fit` says
        whether it can write into an `out`.
        """
        entry, config = choice.entry, choice.config
        shapes = [
            (
                self._signature.output_shape(value, binding),
                self._signature.dtype(value.dtype, binding.types),
            )
            for value in self._manifest.outputs
        ]
        new = [part for shape, dtype in shapes for part in (shape, _strides(shape), dtype)]
        device = tensor.get_device()
        fit = _fitter(shapes, self._sizes(binding), device, self.mask)
        serial = replace(config, programmatic=False)
        layout = entry.artifact.parameters

        def make_slot(early):
            return Slot(config if early else serial, layout)

        launch = self._maker(entry)(
            device,
            self.mask,
            careful,
            self._retry,
            fit,
            [],
            [],
            make_slot,
            function,
            *new,
            *config.integers,
        )
        launch.fit = fit
        return launch

    def _sizes(self, binding):
        """Bytes of each input tensor."""
        sizes = []
        for value in self._manifest.inputs:
            if value.shape is not None:
                elements = math.prod(binding.extents[axis] for axis in value.shape)
                dtype = self._signature.dtype(value.dtype, binding.types)
                sizes.append(elements * dtype.itemsize)
        return sizes

    def _functions_of(self, index):
        with self._lock:
            functions = self._functions.get(index)
            if functions is None:
                if self._driver is None:
                    self._driver = Driver()
                device = self._driver.device(index, self._platform.name(index))
                functions = Functions(self._driver, self._folder, index, device)
                self._functions[index] = functions
            return functions

    def _choose(self, binding, device, functions, situation):
        passed_over = []
        for rule, entry in candidates(self._manifest.entries, device, binding, situation):
            function = None
            config, reason = configure(entry, device, binding.extents)
            if config is not None and functions is not None:
                try:
                    function = functions.get(entry, config)
                except DriverError as error:
                    config, reason = None, str(error)
            if config is not None:
                choice = Choice(rule, entry, config, tuple(passed_over), situation=situation)
                return choice, function
            passed_over.append(f"{entry}: {reason}")
        if passed_over:
            reason = "no entry can be launched: " + "; ".join(passed_over)
        else:
            reason = self._no_entry(binding, device)
        return Choice("reference", passed_over=tuple(passed_over), reason=reason), None

    def _no_entry(self, binding, device):
        """Only what an entry is bound to: other extents would make it a reason for each call."""
        fixed = {axis for entry in self._manifest.entries for axis in entry.fixed_axes}
        wanted = [f"{name}={dtype}" for name, dtype in binding.types.items()]
        wanted += [f"{axis}={binding.extents[axis]}" for axis in sorted(fixed)]
        major, minor = device.capability
        return f"no entry for {', '.join(wanted)} on {device.name} ({major}.{minor})"

    def _maker(self, entry):
        """The function that makes launchers for entries with these arguments."""
        arguments = tuple((part.kind, part.name, part.dtype) for part in entry.arguments)
        shape = (arguments, entry.artifact.parameters, entry.programmatic)
        make = self._makers.get(shape)
        if make is None:
            text, layout = launcher_source(self._manifest, entry)
            names = {
                "__name__": self._package,
                "current_device": self._platform.current_device,
                "current_stream": self._platform.current_stream,
                "empty_strided": self._platform.empty_strided,
                "driver_launch": self._driver.launch,
                "settled": self._settled.known,
                "settle": self._settled.settle,
                "pack": layout.pack_into,
                "StructError": struct.error,
                "bits": _bits,
            }
            make = self._makers[shape] = define(text, "make", names)
        return make

    def _retry(self, status, slot, function, device):
        """After a launch that failed: once more where only the thread lacked torch's context.

        Raises DriverError with the driver's words.
        """
        if status in CONTEXT_STATUSES:
            self._driver.bind_primary_context(device)
            status = self._driver.launch(slot.config, function, slot.parameters, None)
        if status:
            raise self._driver.error(f"{self._manifest.function}: cuLaunchKernelEx", status)


class Settled:
    """Which tensors nothing has written since an earlier launch read them.

    A kernel launched with programmatic serialization may start while the kernel before it still
    runs. It waits for that one before it reads activations, but fetches weights at once. That is
    right where the kernel before has nothing to do with the weights, and wrong where it has just
    written them, as a cast or an optimizer does. So a launch may start early only with weights that
    an earlier launch has read and nothing has written since; the first one after a change waits.

    `known` has by `id` of a tensor a reference to it, its version and the stream of the launch.
    """

    def __init__(self, is_capturing):
        """is_capturing: whether the current stream is captured into a graph."""
        self.known = {}
        self._is_capturing = is_capturing

    def settle(self, tensor, stream):
        """Whether a launch on `stream` may read the tensor at once; later ones may, from now on.

        The launcher asks only where the tensor is not known as it is, on this stream.
        """
        if tensor.is_inference():
            # Nothing counts the writes to it.
            return False
        place, version = id(tensor), tensor._version
        seen = self.known.get(place)
        if seen is not None and seen[0]() is tensor:
            self.known[place] = (seen[0], version, stream)
            # A capture has a stream of its own. What was written within it counts as a new version,
            # and a graph as a whole begins when all before it has ended.
            return seen[1] == version and self._is_capturing()
        known = self.known
        reference = weakref.ref(tensor, lambda _: known.pop(place, None))
        known[place] = (reference, version, stream)
        return False


def _strides(shape):
    """Strides of a contiguous tensor."""
    strides, step = [], 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def _fitter(shapes, sizes, device, mask):
    """A function from `out` and the input tensors to a tuple of tensors that a kernel can write.

    shapes: shape and dtype of each output; sizes: bytes of each input tensor. It returns None where
    a copy is needed: other strides, no alignment, overlap with an input. What is no tensor of the
    right shape and dtype is refused on that way.
    """
    is_as_before = None

    def fit(out, tensors):
        nonlocal is_as_before
        outputs = out if isinstance(out, (tuple, list)) else (out,)
        try:
            known = is_as_before is not None and is_as_before(*outputs)
        except TypeError:
            known = False
        if not known:
            if not _match(outputs, shapes, device):
                return None
            is_as_before = platforms.guard(outputs)
        taken = [(tensor.data_ptr(), size) for tensor, size in zip(tensors, sizes)]
        for output in outputs:
            start, size = output.data_ptr(), output.nbytes
            if start & mask:
                return None
            for other, other_size in taken:
                if start < other + other_size and other < start + size:
                    return None
            taken.append((start, size))
        return outputs

    return fit


def _match(outputs, shapes, device):
    """Whether tensors are as the outputs are, contiguous and on the device."""
    return len(outputs) == len(shapes) and all(
        isinstance(output, torch.Tensor)
        and output.shape == shape
        and output.dtype == dtype
        and output.get_device() == device
        and output.is_contiguous()
        and not output.requires_grad
        for output, (shape, dtype) in zip(outputs, shapes)
    )


def _bits(value, dtype):
    """The bits of a scalar in a dtype that `struct` lacks."""
    names = {"bf16": "bfloat16", "f8e4m3": "float8_e4m3fn", "f8e5m2": "float8_e5m2"}
    tensor = torch.tensor(value, dtype=torch.float32).to(getattr(torch, names[dtype]))
    if dtype == "bf16":
        return tensor.view(torch.int16).item() & 0xFFFF
    return tensor.view(torch.uint8).item()
