"""The kernel of a variant without artifacts: its mathematics in torch, behind the same checks."""

import importlib

from . import manifest as manifests
from .choice import Choice


class UniversalKernel:
    """One kernel: `call` and `why`. torch is imported by the first of either."""

    def __init__(self, folder, package):
        """folder: the variant's; package: its name in `sys.modules`."""
        self.manifest = manifests.read(folder)
        self._package = package
        self._signature = None

    def call(self, arguments, out=None):
        """Raises TypeError and ValueError for arguments that do not fit the signature."""
        signature = self._with_torch()
        from .tensors import copy_outputs, run_reference

        run = importlib.import_module(f"{self._package}.reference").run
        binding = signature.bind(arguments)
        result = run_reference(run, self.manifest, signature, arguments, binding)
        return result if out is None else copy_outputs(result, out)

    def why(self, arguments, device=None):
        """Always the mathematics in torch."""
        self._with_torch().bind(arguments)
        return Choice("reference", reason="this variant is mathematics in torch")

    def _with_torch(self):
        if self._signature is None:
            try:
                import torch
            except ImportError as error:
                message = f"{self.manifest.function} needs torch to run: pip install torch"
                raise ImportError(message) from error

            from .signature import Signature

            self._signature = Signature(self.manifest, torch)
        return self._signature
