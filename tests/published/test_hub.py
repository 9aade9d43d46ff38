"""The real `kernels` loads a published repository: from a folder and from a Hub.

Needs `kernels`, not torch. Without a folder in `RIDGE_PUBLISHED` it renders one from the templates.
"""

import importlib.util
import os
import tempfile
import unittest
from pathlib import Path

from stand_in_hub import StandInHub

# Read by huggingface_hub when it is imported.
HUB = StandInHub()
CACHE = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
os.environ |= {
    "HF_ENDPOINT": HUB.endpoint,
    "HF_HOME": CACHE.name,
    "HF_HUB_DISABLE_XET": "1",
}

import kernels  # noqa: E402
import render  # noqa: E402

HAS_TORCH = importlib.util.find_spec("torch") is not None
MAY_CUDA = HAS_TORCH and __import__("torch").version.cuda is not None


def published():
    """A folder as `ridge publish --to-folder` writes it."""
    if "RIDGE_PUBLISHED" in os.environ:
        return Path(os.environ["RIDGE_PUBLISHED"])
    folder = Path(CACHE.name) / "published"
    manifest = render.example()
    for backend in ("cuda", "universal"):
        render.variant(folder, manifest, backend, render.RMSNORM_REFERENCE)
    (folder / "CARD.md").write_text("---\nlibrary_name: kernels\n---\n# rmsnorm\n")
    return folder


class Loads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = published()
        HUB.add("someone/kernel", cls.folder)

    def check(self, module, backend):
        kind = type(module._kernel).__name__
        self.assertEqual(kind, {"cuda": "CudaKernel", "universal": "UniversalKernel"}[backend])
        manifest = module._kernel.manifest
        function = getattr(module, manifest.function)
        self.assertIn(manifest.function, module.__all__)
        self.assertIsNotNone(function.__doc__)
        if not HAS_TORCH:
            wanted = [None for value in manifest.inputs]
            with self.assertRaisesRegex(ModuleNotFoundError, "needs torch to run"):
                function(*wanted)
            return
        self.run_once(module, manifest, function)

    def run_once(self, module, manifest, function):
        import torch

        sample = importlib.import_module(f"{module.__name__}._ridge.sample")
        axes = {name: 64 for name, kind in manifest.axes if kind != "derived"}
        types = {name: dtypes[0] for name, dtypes in manifest.types.items()}
        arguments = sample.arguments(manifest, axes, types, "cpu")
        result = function(*arguments)
        expected = module.reference.run(*arguments)
        self.assertLessEqual(sample.error(manifest, result, expected), 1.0)
        self.assertTrue(torch.is_tensor(result) or isinstance(result, tuple))

    def test_from_a_folder(self):
        backend = "cuda" if MAY_CUDA else "universal"
        self.check(kernels.get_local_kernel(self.folder), backend)

    def test_a_variant_from_a_folder(self):
        home = self.folder / "build" / "torch-universal"
        self.check(kernels.get_local_kernel(home), "universal")

    def test_from_a_hub(self):
        module = kernels.get_kernel(
            "someone/kernel", version=1, trust_remote_code=True, check_arch=False
        )
        self.check(module, "cuda" if MAY_CUDA else "universal")
        # Files of the cache are links: whatever resolves them leaves the variant's folder.
        self.assertTrue(Path(module.__file__).is_symlink())

    def test_an_unknown_version(self):
        with self.assertRaisesRegex(Exception, "9"):
            kernels.get_kernel("someone/kernel", version=9, trust_remote_code=True)


if __name__ == "__main__":
    unittest.main()
