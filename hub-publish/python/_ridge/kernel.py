"""The kernel of a variant with artifacts: what a call does, from the arguments to the launch."""

import importlib
import warnings
from dataclasses import replace

import torch

from . import manifest as manifests
from . import platform as platforms
from .launchers import Launchers
from .operators import register
from .signature import Signature
from .situation import ALONE, CHAIN, Chain
from .source import call_source, define, key_places
from .tensors import copy_outputs, run_reference

# Launchers kept; a program with more shapes than this makes them anew.
_LAUNCHERS_LIMIT = 4096
# Kinds of tensors told apart for each shape: dtypes, inference mode, autocast.
_GUARDS_LIMIT = 8


class FallbackWarning(UserWarning):
    """A call ran in torch because no compiled kernel fits it."""


class CudaKernel:
    """One kernel: `call`, `operator`, `why` and `chain`, the context of calls in a chain.

    `call` and `direct` take the inputs in order and `out`, or None for new outputs.
    """

    def __init__(self, folder, package, platform=None, driver=None):
        """folder: the variant's; package: its name in `sys.modules`; the rest is for tests."""
        self.manifest = manifests.read(folder)
        self.signature = Signature(self.manifest, torch)
        self._package = package
        self._platform = platform or platforms.TorchCuda()
        self._launchers = Launchers(
            self.manifest, self.signature, folder, package, self._platform, driver
        )
        self.chain = Chain(self.manifest.kernel)
        # Where every entry serves both situations, there is nothing to tell apart.
        self._two_situations = any(entry.situation for entry in self.manifest.entries)
        self._made = {}
        self._known = {ALONE: {}, CHAIN: {}}
        self._warned = set()
        inputs = self.manifest.inputs
        self._tensors = [place for place, value in enumerate(inputs) if value.shape is not None]
        self._key_places = key_places(inputs)
        # What the operator runs: nobody is to see that call any more.
        self.direct = self._short_way(package, self.run)
        self.call = self._short_way(package, self._usual)
        self.operator = register(self, folder)

    def run(self, arguments, out=None):
        """A call on tensors that are there: checks, chooses, copies where it must, launches.

        Raises TypeError and ValueError for arguments that do not fit the signature, RuntimeError
        for inputs that record gradients, DriverError where the driver refuses the launch.
        """
        binding = self.signature.bind(arguments)
        self.refuse_gradients(arguments)
        self._check_devices(arguments)
        if arguments[self._tensors[0]].is_meta:
            return self._outputs(arguments, binding)
        situation = self.chain.situation() if self._two_situations else ALONE
        launch, choice = self._launcher(arguments, binding, situation)
        if launch is None:
            result = self._without_launch(choice, arguments, binding)
            return result if out is None else copy_outputs(result, out, self.manifest.function)
        ready = tuple(
            self.signature.scalar(value, argument) if value.shape is None else self._ready(argument)
            for value, argument in zip(self.manifest.inputs, arguments)
        )
        tensors = [ready[place] for place in self._tensors]
        fits = out is not None and launch.fit(out, tensors) is not None
        if all(tensor is arguments[place] for place, tensor in zip(self._tensors, tensors)):
            self._remember(tensors, launch, situation)
        with self._platform.on(tensors[0].get_device()):
            result = launch(*ready, out if fits else None)
            if out is None or fits:
                return result
            return copy_outputs(result, out, self.manifest.function)

    def fake(self, arguments):
        """The outputs of a call, without data."""
        return self._outputs(arguments, self.signature.bind(arguments))

    def why(self, arguments, device=None):
        """The Choice of a call. device: `(name, (major, minor))` of another GPU, or None."""
        binding = self.signature.bind(arguments)
        if device is not None:
            device = self._device(device)

            def choose(situation):
                return self._launchers.choose(binding, device, situation)

        else:
            self._check_devices(arguments)

            def choose(situation):
                return self._launchers.resolve(binding, arguments[self._tensors[0]], situation)[0]

        situation = self.chain.situation()
        choice, other = choose(situation), choose(ALONE if situation == CHAIN else CHAIN)
        copies = []
        for place in self._tensors if choice.entry is not None else ():
            tensor, name = arguments[place], self.manifest.inputs[place].name
            mask = self._launchers.mask
            if not tensor.is_contiguous():
                copies.append(f"`{name}` is copied: it is not contiguous")
            elif self._platform.is_gpu(tensor.device) and tensor.data_ptr() & mask:
                copies.append(f"`{name}` is copied: its address is no multiple of {mask + 1}")
        return replace(choice, copies=tuple(copies), situation=situation, other=other.entry)

    def _device(self, device):
        """Another GPU as the caller gives it; raises TypeError for what is none."""
        try:
            name, (major, minor) = device
            if isinstance(name, str) and isinstance(major, int) and isinstance(minor, int):
                return name, (major, minor)
        except (TypeError, ValueError):
            pass
        raise TypeError(
            f"{self.manifest.function}: `device` must be a board's name and its compute capability, "
            f'such as ("NVIDIA H200", (9, 0)), got {device!r}'
        )

    def refuse_gradients(self, arguments):
        """Raises RuntimeError where an input records gradients: there is no backward."""
        if not torch.is_grad_enabled():
            return
        for place in self._tensors:
            if arguments[place].requires_grad:
                name = self.manifest.inputs[place].name
                torch_version = self.manifest.reference is not None
                other = ", or call `reference.run`, which is differentiable torch"
                raise RuntimeError(
                    f"{self.manifest.function}: `{name}` requires gradients and this kernel has "
                    "no backward; call it under torch.no_grad() or torch.inference_mode(), pass "
                    f"`{name}.detach()`{other if torch_version else ''}"
                )

    def _short_way(self, package, usual):
        """A function of the inputs and `out` for calls that were seen before; else `usual`."""
        names = {
            "__name__": package,
            "function_modes": platforms.function_modes,
            "grad_enabled": torch.is_grad_enabled,
            "find": self._known[ALONE].get,
            "find_in_chain": self._known[CHAIN].get,
            "depth": self.chain.depth,
            "usual": usual,
        }
        source = call_source(self.manifest.inputs, self._two_situations)
        return define(source, "call", names)

    def _usual(self, arguments, out):
        """A call that `call` does not know: of an unusual kind, or the first with its shapes."""
        plain = all(
            platforms.is_plain(arguments[place]) or not isinstance(arguments[place], torch.Tensor)
            for place in self._tensors
        )
        if plain and not platforms.is_watched():
            return self.run(arguments, out)
        result = self.operator(*arguments)
        return result if out is None else copy_outputs(result, out, self.manifest.function)

    def _launcher(self, arguments, binding, situation):
        """The launcher for these shapes and None; or None and the Choice of a call without one."""
        tensors = [arguments[place] for place in self._tensors]
        shapes = tuple((tensor.shape, tensor.dtype, tensor.get_device()) for tensor in tensors)
        key = (situation, *shapes)
        launch = self._made.get(key)
        if launch is not None:
            return launch, None
        choice, function = self._launchers.resolve(binding, tensors[0], situation)
        if choice.entry is None:
            return None, choice
        launch = self._launchers.make(choice, function, binding, tensors[0], self.run)
        if len(self._made) >= _LAUNCHERS_LIMIT:
            self._made.clear()
            for known in self._known.values():
                known.clear()
        self._made[key] = launch
        return launch, choice

    def _remember(self, tensors, launch, situation):
        """Lets `call` take this launcher for tensors like these in this situation."""
        shapes = tuple(arguments.shape for arguments in tensors)
        shapes = [shapes[self._tensors.index(place)] for place in self._key_places]
        key = shapes[0] if len(shapes) == 1 else tuple(shapes)
        known = self._known[situation].get(key, ())
        guard = platforms.guard(tensors) if len(known) < _GUARDS_LIMIT else None
        if guard is not None:
            self._known[situation][key] = (*known, (guard, launch))

    def _without_launch(self, choice, arguments, binding):
        if choice.rule == "empty":
            return self._outputs(arguments, binding)
        if self.manifest.reference is None:
            raise RuntimeError(
                f"{self.manifest.function}: {choice.reason}, and it has no version in torch"
            )
        if choice.reason not in self._warned:
            self._warned.add(choice.reason)
            message = f"{self.manifest.function} runs in torch: {choice.reason}"
            warnings.warn(message, FallbackWarning, stacklevel=2)
        module = importlib.import_module(f"{self._package}.reference")
        return run_reference(module.run, self.manifest, self.signature, arguments, binding)

    def _outputs(self, arguments, binding):
        like = arguments[self._tensors[0]]
        outputs = tuple(
            like.new_empty(
                self.signature.output_shape(value, binding),
                dtype=self.signature.dtype(value.dtype, binding.types),
            )
            for value in self.manifest.outputs
        )
        return outputs if len(outputs) > 1 else outputs[0]

    def _ready(self, tensor):
        """The tensor as kernels read it: contiguous and aligned."""
        tensor = tensor.contiguous()
        return tensor.clone() if tensor.data_ptr() & self._launchers.mask else tensor

    def _check_devices(self, arguments):
        first = self._tensors[0]
        for place in self._tensors[1:]:
            if arguments[place].device != arguments[first].device:
                raise ValueError(
                    f"{self.manifest.function}: `{self.manifest.inputs[place].name}` must be on "
                    f"{arguments[first].device} as `{self.manifest.inputs[first].name}` is, "
                    f"got {arguments[place].device}"
                )
