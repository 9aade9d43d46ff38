"""The kernel as an operator of torch, so that compilers, tracers and modes see one opaque call."""

import json

import torch

# Kept for the life of the process: an operator is gone when its library is.
_LIBRARIES = {}


def register(kernel, folder):
    """Defines the operator of a kernel under its build's id, and returns it.

    The same build imported twice has one operator, that of the first import.
    """
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    namespace, name = metadata["id"], kernel.manifest.function
    if (namespace, name) not in _LIBRARIES and not _is_defined(namespace, name):
        _LIBRARIES[namespace, name] = _define(kernel, namespace, name)
    return getattr(getattr(torch.ops, namespace), name).default


def _is_defined(namespace, name):
    return hasattr(getattr(torch.ops, namespace), name)


def _define(kernel, namespace, name):
    library = torch.library.Library(namespace, "FRAGMENT")
    library.define(f"{name}{schema(kernel.manifest)}", tags=torch.Tag.pt2_compliant_tag)

    def run(*arguments):
        return kernel.direct(*arguments, None)

    def fake(*arguments):
        return kernel.fake(arguments)

    def autograd(*arguments):
        kernel.refuse_gradients(arguments)
        with torch._C._AutoDispatchBelowAutograd():
            return getattr(getattr(torch.ops, namespace), name).default(*arguments)

    for key in ("CPU", "CUDA"):
        library.impl(name, run, key)
    library.impl(name, autograd, "Autograd")
    torch.library.register_fake(f"{namespace}::{name}", fake, lib=library)
    return library


def schema(manifest):
    """The operator's signature as torch writes it: `(Tensor x, float eps) -> Tensor`."""

    def kind(value):
        if value.shape is not None:
            return "Tensor"
        if value.dtype == "bool":
            return "bool"
        return "float" if value.dtype.startswith(("f", "bf")) else "int"

    inputs = ", ".join(f"{kind(value)} {value.name}" for value in manifest.inputs)
    outputs = ", ".join("Tensor" for _ in manifest.outputs)
    return f"({inputs}) -> {outputs if len(manifest.outputs) == 1 else f'({outputs})'}"
