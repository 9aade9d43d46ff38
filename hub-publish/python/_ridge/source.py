"""Writes the Python functions that a call runs, one statement an argument instead of loops.

A launch costs the host a few microseconds, about what a loop over a signature costs. So the way of
a call that has been seen before is straight code made for the kernel: `call` asks the guards of the
shapes at hand whether the tensors are as before, and the launcher that belongs to them allocates,
packs the parameters and launches. Whatever is out of the ordinary goes on in `kernel.py`.
"""

import linecache
import struct

# Letters of `struct` for scalars, and for those that are packed by their bits.
_SCALARS = {
    "f64": "d",
    "f32": "f",
    "f16": "e",
    "i64": "q",
    "i32": "i",
    "i16": "h",
    "i8": "b",
    "u32": "I",
    "u8": "B",
    "bool": "?",
}
_BITS = {"bf16": "H", "f8e4m3": "B", "f8e5m2": "B"}


def key_places(inputs):
    """Places of the few tensors whose shapes give every extent, the most telling first."""
    tensors = [place for place, value in enumerate(inputs) if value.shape is not None]
    missing = {axis for place in tensors for axis in inputs[place].shape}
    places = []
    while missing or not places:
        place = max(tensors, key=lambda place: len(missing.intersection(inputs[place].shape)))
        places.append(place)
        missing -= set(inputs[place].shape)
    return places


def call_source(inputs, two_situations):
    """The text of `call(*inputs, out)`: from a public function to a launcher.

    inputs: the manifest's; two_situations: whether calls in a chain may have launchers of their own.
    Free names: `function_modes`, `grad_enabled`, `find` (shapes and a default to pairs of a guard and
    a launcher), `usual`, and with two situations `depth` and `find_in_chain`.
    """
    names = [f"a{place}" for place in range(len(inputs))]
    tensors = [name for name, value in zip(names, inputs) if value.shape is not None]
    gradients = " or ".join(f"{name}.requires_grad" for name in tensors)
    tests = [
        f"type({name}) is {_python_type(value.dtype)} and "
        for name, value in zip(names, inputs)
        if value.shape is None
    ]
    shapes = [f"a{place}.shape" for place in key_places(inputs)]
    key = shapes[0] if len(shapes) == 1 else f"({', '.join(shapes)})"
    arguments = ", ".join(names)
    find = "(find_in_chain if depth() else find)" if two_situations else "find"
    return f"""\
def call({arguments}, out):
    if {"".join(tests)}not function_modes():
        try:
            for is_as_before, launch in {find}({key}, ()):
                if is_as_before({", ".join(tensors)}):
                    break
            else:
                launch = None
        except (AttributeError, TypeError):
            # An argument is no tensor: the usual way says so.
            launch = None
        if launch is not None and not (grad_enabled() and ({gradients})):
            return launch({arguments}, out)
    return usual(({arguments},), out)
"""


def launcher_source(manifest, entry):
    """The text of `make`, which makes the launcher of one set of shapes, and the `struct` it packs.

    entry: its arguments and parameters. A launch that may start before the kernel before it has ended
    does so only where `settled` knows the tensors that the kernel may read at once. Free names: `current_device`, `current_stream`,
    `empty_strided`, `driver_launch`, `settled`, `settle`, `pack`, `StructError` and `bits`.
    """
    names = {value.name: f"a{place}" for place, value in enumerate(manifest.inputs)}
    tensors = [names[value.name] for value in manifest.inputs if value.shape is not None]
    arguments = ", ".join(names.values())
    outputs = [f"y{place}" for place in range(len(manifest.outputs))]
    names |= {value.name: name for value, name in zip(manifest.outputs, outputs)}
    layout, values = _packing(entry, names)
    made = [
        part for name in outputs for part in (f"shape_{name}", f"strides_{name}", f"type_{name}")
    ]
    made += [value for value in values if value.startswith("n")]
    allocate = [
        f"{name} = empty_strided(shape_{name}, strides_{name}, type_{name})" for name in outputs
    ]
    pointers = [f"p_{name} = {name}.data_ptr()" for name in tensors + outputs]
    early = entry.programmatic and [names[name] for name in manifest.early_inputs]
    # Each is asked, whatever the others say: to ask is to remember.
    pool = f"slots if {' & '.join(map(_is_settled, early))} else serial" if early else "slots"
    text = f"""\
def make(device, mask, careful, retry, fit, slots, serial, make_slot, function, {", ".join(made)}):
    def launch({arguments}, out):
        if current_device() != device:
            return careful(({arguments},), out)
        if out is None:
            {_lines(allocate, 12)}
        else:
            fitting = fit(out, ({", ".join(tensors)},))
            if fitting is None:
                return careful(({arguments},), out)
            ({", ".join(outputs)},) = fitting
        {_lines(pointers, 8)}
        if ({" | ".join(f"p_{name}" for name in tensors)}) & mask:
            return careful(({arguments},), out)
        stream = current_stream(device)
        pool = {pool}
        try:
            slot = pool.pop()
        except IndexError:
            slot = make_slot(pool is slots)
        if slot.stream != stream:
            slot.set_stream(stream)
        try:
            pack(slot.memory, 0, {", ".join(values)})
        except (OverflowError, StructError):
            # A scalar does not fit its dtype: the checks there say which.
            return careful(({arguments},), out)
        status = driver_launch(slot.config, function, slot.parameters, None)
        if status:
            retry(status, slot, function, device)
        pool.append(slot)
        return {", ".join(outputs)}

    return launch
"""
    return text, struct.Struct(layout)


def define(text, name, values):
    """Runs the text of a function and returns the function.

    values: its free names. The text is kept for tracebacks.
    """
    file_name = f"<{values['__name__']}: {name} {len(linecache.cache)}>"
    linecache.cache[file_name] = (len(text), None, text.splitlines(True), file_name)
    exec(compile(text, file_name, "exec"), values)
    return values[name]


def _packing(entry, names):
    """The layout of an entry's parameters for `struct`, and the expressions of its values."""
    layout, values, end, integers = "=", [], 0, 0
    for argument, (offset, size) in zip(entry.arguments, entry.artifact.parameters):
        layout += f"{offset - end}x" if offset > end else ""
        end = offset + size
        if argument.kind == "tensor":
            layout += "Q"
            values.append(f"p_{names[argument.name]}")
        elif argument.kind == "integer":
            layout += "q" if size == 8 else "i"
            values.append(f"n{integers}")
            integers += 1
        elif argument.dtype in _BITS:
            layout += _BITS[argument.dtype]
            values.append(f'bits({names[argument.name]}, "{argument.dtype}")')
        else:
            layout += _SCALARS[argument.dtype]
            values.append(names[argument.name])
    return layout, values


def _is_settled(name):
    """The test whether a tensor is as at an earlier launch on this stream."""
    return (
        f"((seen := settled.get(id({name}))) is not None and seen[0]() is {name}"
        f" and seen[1] == {name}._version and seen[2] == stream or settle({name}, stream))"
    )


def _lines(lines, indent):
    return ("\n" + " " * indent).join(lines)


def _python_type(dtype):
    if dtype == "bool":
        return "bool"
    return "float" if dtype.startswith(("f", "bf")) else "int"
