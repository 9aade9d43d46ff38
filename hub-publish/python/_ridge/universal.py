"""The kernel of a variant without artifacts: its mathematics in torch, behind the same checks."""

import contextlib
import importlib

from . import manifest as manifests
from .choice import Choice

try:
    import torch

    from .signature import Signature
    from .tensors import copy_outputs, run_reference
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    torch = None


class UniversalKernel:
    """One kernel: `call`, `why` and `chain`. It can be made without torch, not called."""

    def __init__(self, folder, package):
        """folder: the variant's; package: its name in `sys.modules`."""
        self.manifest = manifests.read(folder)
        self._run = importlib.import_module(f"{package}.reference").run
        self._signature = None if torch is None else Signature(self.manifest, torch)

    def call(self, arguments, out=None):
        """Raises TypeError and ValueError for arguments that do not fit the signature."""
        signature = self._checked()
        binding = signature.bind(arguments)
        result = run_reference(self._run, self.manifest, signature, arguments, binding)
        if out is None:
            return result
        return copy_outputs(result, out, self.manifest.function)

    def why(self, arguments, device=None):
        """Always the mathematics in torch."""
        self._checked().bind(arguments)
        return Choice("reference", reason="this variant is mathematics in torch")

    def chain(self):
        """A context that changes nothing."""
        return contextlib.nullcontext()

    def _checked(self):
        if self._signature is None:
            raise ModuleNotFoundError(
                f"{self.manifest.function} needs torch to run: pip install torch", name="torch"
            )
        return self._signature
