"""Checks a call's arguments against the declared inputs, and works out extents and types."""

import math
from dataclasses import dataclass

from .manifest import DTYPES

# Bits of a magnitude.
_INTEGERS = {"i64": 63, "i32": 31, "i16": 15, "i8": 7, "u32": 32, "u8": 8}
# Largest finite values; what is above rounds to infinity, or is none.
_LARGEST = {"f32": 3.4028234663852886e38, "f16": 65504.0, "bf16": 3.3895313892515355e38}
_LARGEST |= {"f8e4m3": 448.0, "f8e5m2": 57344.0}


@dataclass(frozen=True)
class Binding:
    """A call with every extent and type known."""

    # Extent of each axis, derived ones too.
    extents: dict
    # Dtype of each type variable, in the manifest's words.
    types: dict
    # What the caller gave in place of the leading axis; None where there is no such axis.
    leading: tuple | None


class Signature:
    """The inputs and outputs of one kernel."""

    def __init__(self, manifest, torch):
        self._kernel = manifest.function
        self._torch = torch
        self._manifest = manifest
        self._leading = manifest.leading_axis
        self._words = {
            getattr(torch, name): word for word, name in DTYPES.items() if hasattr(torch, name)
        }
        self._dtypes = {word: dtype for dtype, word in self._words.items()}

    def dtype(self, declared, types):
        """The torch dtype of a declared dtype or type variable."""
        return self._dtypes[types.get(declared, declared)]

    def bind(self, arguments):
        """The extents and types of a call.

        Raises TypeError for an argument of the wrong kind or dtype, ValueError for a shape that
        does not fit; both name the argument, what was expected and what came.
        """
        types, extents, first, leading = {}, {}, {}, None
        for value, argument in zip(self._manifest.inputs, arguments):
            if value.shape is None:
                self.scalar(value, argument)
                continue
            self._bind_dtype(value, argument, types, first)
            shape = tuple(argument.shape)
            if self._leading is not None and self._leading in value.shape:
                leading, shape = self._fold(value, shape, leading)
            elif len(shape) != len(value.shape):
                self._refuse_rank(value, shape)
            self._bind_extents(value, shape, extents, first)
        if self._manifest.derived:
            extents = self.extents(extents)
            self._check_derived(extents, arguments)
        return Binding(extents, types, leading)

    def extents(self, axes):
        """The extents of every axis, from those of the axes that are not derived."""
        extents, waiting = dict(axes), dict(self._manifest.derived)
        while waiting:
            ready = [name for name, rule in waiting.items() if rule.names <= extents.keys()]
            if not ready:
                raise ValueError(f"{self._kernel}: the extent of `{min(waiting)}` is not known")
            for name in ready:
                rule = waiting.pop(name)
                try:
                    extents[name] = rule(extents)
                except ZeroDivisionError:
                    message = f"{self._kernel}: `{name}` = {rule.text} divides by zero"
                    raise ValueError(message) from None
        return extents

    def flat(self, value, tensor, binding):
        """The tensor with the leading dimensions folded into one axis, as the kernel sees it."""
        shape = tuple(binding.extents[axis] for axis in value.shape)
        return tensor if tuple(tensor.shape) == shape else tensor.reshape(shape)

    def output_shape(self, value, binding):
        """An output's shape, as the caller sees it."""
        if self._leading is not None and value.shape[:1] == (self._leading,):
            rest = value.shape[1:]
            return (*binding.leading, *(binding.extents[axis] for axis in rest))
        return tuple(binding.extents[axis] for axis in value.shape)

    def _bind_dtype(self, value, argument, types, first):
        torch = self._torch
        if not isinstance(argument, torch.Tensor):
            kind = type(argument).__name__
            raise TypeError(f"{self._kernel}: `{value.name}` must be a torch.Tensor, got {kind}")
        if argument.layout is not torch.strided:
            raise TypeError(
                f"{self._kernel}: `{value.name}` must be a dense tensor, got {argument.layout}"
            )
        word = self._words.get(argument.dtype)
        allowed = self._manifest.types.get(value.dtype, (value.dtype,))
        if word not in allowed:
            names = " or ".join(str(self._dtypes.get(name, name)) for name in allowed)
            raise TypeError(f"{self._kernel}: `{value.name}` must be {names}, got {argument.dtype}")
        if value.dtype in self._manifest.types:
            known = types.setdefault(value.dtype, word)
            other = first.setdefault(("type", value.dtype), value.name)
            if known != word:
                raise TypeError(
                    f"{self._kernel}: `{value.name}` must be {self._dtypes[known]} as "
                    f"`{other}` is, got {argument.dtype}"
                )

    def scalar(self, value, argument):
        """A scalar argument as the Python number that its dtype holds.

        Raises TypeError for what is no such number, ValueError for one that does not fit.
        """
        dtype = value.dtype
        kinds = {"bool": (bool,)}.get(dtype) or ((int,) if dtype in _INTEGERS else (int, float))
        # NumPy's numbers are none of Python's; tensors would wait for the GPU.
        item = getattr(argument, "item", None)
        number = argument if item is None or self._is_tensor(argument) else item()
        if not isinstance(number, kinds) or (isinstance(number, bool) and dtype != "bool"):
            kind = kinds[-1].__name__
            got = "a tensor" if self._is_tensor(argument) else repr(argument)
            raise TypeError(f"{self._kernel}: `{value.name}` must be of type {kind}, got {got}")
        if dtype == "bool":
            return number
        if dtype in _INTEGERS:
            bits = _INTEGERS[dtype]
            low = 0 if dtype.startswith("u") else -(1 << bits)
            if low <= number < 1 << bits:
                return number
        elif not math.isfinite(number) or abs(number) <= _LARGEST.get(dtype, math.inf):
            return float(number)
        raise ValueError(f"{self._kernel}: `{value.name}` must fit in {dtype}, got {number}")

    def _is_tensor(self, argument):
        return isinstance(argument, self._torch.Tensor)

    def _fold(self, value, shape, leading):
        """Folds the dimensions that stand for the leading axis into one."""
        rest = len(value.shape) - 1
        if len(shape) < rest:
            self._refuse_rank(value, shape)
        here = shape[: len(shape) - rest]
        if leading is not None and here != leading:
            # Only the number of elements could agree, and that may be chance.
            raise ValueError(
                f"{self._kernel}: `{value.name}` must have {list(leading)} in place of "
                f"`{self._leading}` as the inputs before it have, got shape {list(shape)}"
            )
        extent = 1
        for size in here:
            extent = extent * size
        return here, (extent, *shape[len(here) :])

    def _refuse_rank(self, value, shape):
        more = ", or other dimensions in place of the first" if self._leading in value.shape else ""
        axes = ", ".join(value.shape)
        raise ValueError(
            f"{self._kernel}: `{value.name}` must have the axes [{axes}]{more}, "
            f"got shape {list(shape)}"
        )

    def _bind_extents(self, value, shape, extents, first):
        for axis, extent in zip(value.shape, shape):
            if axis in self._manifest.derived:
                continue
            known = extents.setdefault(axis, extent)
            other = first.setdefault(("axis", axis), value.name)
            if known != extent:
                raise ValueError(
                    f"{self._kernel}: `{value.name}` must have {known} along `{axis}` as "
                    f"`{other}` has, got {extent}"
                )

    def _check_derived(self, extents, arguments):
        for value, argument in zip(self._manifest.inputs, arguments):
            for place, axis in enumerate(reversed(value.shape or ())):
                if axis not in self._manifest.derived:
                    continue
                extent = argument.shape[len(argument.shape) - 1 - place]
                if extent != extents[axis]:
                    rule = self._manifest.derived[axis].text
                    raise ValueError(
                        f"{self._kernel}: `{value.name}` must have {extents[axis]} along "
                        f"`{axis}` = {rule}, got {extent}"
                    )
