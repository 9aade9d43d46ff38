"""Makes a variant's folder from the templates and a manifest, as `ridge publish` does.

For tests of the Python that ships, where no compiled kernel is at hand: artifacts are stub images.
"""

import json
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "hub-publish" / "python"

RMSNORM_REFERENCE = '''"""The mathematics of rmsnorm in torch."""

try:
    import torch
except ImportError:
    torch = None


def run(x, weight, eps=1e-06):
    wide = x.to(torch.float32)
    mean_square = (wide * wide).mean(-1, keepdim=True)
    return (wide * torch.rsqrt(mean_square + eps) * weight.to(torch.float32)).to(x.dtype)
'''

_ANNOTATIONS = {"bool": "bool", "f": "float", "b": "float"}


def example():
    """The manifest that `FORMAT.md` shows."""
    text = (PYTHON / "FORMAT.md").read_text()
    return json.loads(re.findall(r"```json\n(.*?)```", text, re.DOTALL)[-1])


def variant(folder, manifest, backend, reference=None, build="a1b2c3d"):
    """Writes `folder/build/torch-<backend>` and returns it; backend: cuda or universal."""
    home = Path(folder) / "build" / f"torch-{backend}"
    home.mkdir(parents=True)
    shutil.copytree(PYTHON / "_ridge", home / "_ridge", ignore=shutil.ignore_patterns("__py*"))
    layers = PYTHON / "templates" / "layers" / f"{manifest['kernel'].removeprefix('cube-')}.py"
    words = placeholders(manifest, layers.is_file(), reference is not None)
    compat = home / manifest["function"]
    compat.mkdir()
    (home / "__init__.py").write_text(fill(f"{backend}_init.py", words))
    (compat / "__init__.py").write_text(fill("compat_init.py", words))
    if layers.is_file():
        (home / "layers.py").write_text(fill(f"layers/{layers.name}", words))
    if reference is not None:
        (home / "reference.py").write_text(reference)
    if backend == "universal":
        manifest = {**manifest, "artifacts": {}, "entries": []}
    for artifact in manifest["artifacts"].values():
        write_images(home, artifact)
    (home / "kernel.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    name = manifest["function"]
    metadata = {
        "name": manifest["kernel"],
        "id": f"_{name}_{backend}_{build}",
        "version": 1,
        "license": "Apache-2.0",
        "python-depends": [],
        "backend": {"type": "cuda" if backend == "cuda" else "cpu"},
    }
    (home / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    return home


def write_images(home, artifact):
    """Stub images of an artifact, in all its files."""
    sizes = " ".join(str(part["size_bytes"]) for part in artifact["parameters"])
    files = [*artifact["cubin"].items()]
    if artifact["ptx"] is not None:
        files.append((f"ptx:{artifact['ptx']['target']}", artifact["ptx"]["file"]))
    for architecture, file in files:
        path = home / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"stub {architecture}\n{artifact['symbol']} {sizes}\n\0")


def placeholders(manifest, layers, reference):
    """The words between `@` and what they stand for."""
    modules = [name for name, there in (("layers", layers), ("reference", reference)) if there]
    function = manifest["function"]
    parameters = []
    for value in manifest["inputs"]:
        if value["shape"] is not None:
            parameters.append(f'{value["name"]}: "torch.Tensor"')
            continue
        kind = _ANNOTATIONS.get(value["dtype"], _ANNOTATIONS.get(value["dtype"][0], "int"))
        default = value.get("default")
        parameters.append(
            f"{value['name']}: {kind}" + (f" = {default}" if default is not None else "")
        )
    outputs = ['"torch.Tensor"'] + ["torch.Tensor"] * (len(manifest["outputs"]) - 1)
    tuned = [entry for entry in manifest["entries"] if entry["rule"] == "tuned"]
    tuned = [entry for entry in tuned if entry.get("situation") != "alone"]
    return {
        "kernel": manifest["kernel"],
        "function": function,
        "description": manifest["description"] or manifest["kernel"],
        "parameters": ", ".join(parameters),
        "arguments": ", ".join(value["name"] for value in manifest["inputs"]),
        "returns": outputs[0]
        if len(outputs) == 1
        else f'"tuple[{", ".join(["torch.Tensor"] * len(outputs))}]"',
        "documentation": "\n".join(
            f"    {value['name']}: {value['shape'] or value['dtype']}."
            for value in manifest["inputs"]
        ),
        "imports": f"from . import {', '.join(modules)}" if modules else "",
        "exports": ", ".join(f'"{name}"' for name in ["chain", *modules, function, "why"]),
        "workloads": repr(
            [{"name": e["workload"], "axes": e["axes"], "types": e["types"]} for e in tuned]
        ),
    }


def fill(template, words):
    """A template with its placeholders replaced."""
    text = (PYTHON / "templates" / template).read_text()
    return re.sub(r"@(\w+)@", lambda match: words[match.group(1)], text)
