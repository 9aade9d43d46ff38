"""The package above under the kernel's name, for loaders that look for it there."""

import importlib.util
import sys
from pathlib import Path

_above = Path(__file__).parent.parent


def _package():
    if __package__ and "." in __package__:
        return importlib.import_module("..", __package__)
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(_above / "__init__.py"):
            return module
    name = f"_{__name__}_above"
    spec = importlib.util.spec_from_file_location(name, _above / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_package = _package()
globals().update({name: getattr(_package, name) for name in _package.__all__})
__all__ = _package.__all__
