"""Runs one Python reference: `python driver.py FOLDER`.

FOLDER/request.json names the reference's file and function, and its arguments; tensors lie beside
it as raw little-endian bytes. FOLDER/response.json says what became of it.
"""

import inspect
import json
import os
import sys
import traceback

FOLDER = sys.argv[1]


def answer(response):
    part = os.path.join(FOLDER, "response.json.part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(response, file)
    os.replace(part, os.path.join(FOLDER, "response.json"))


def load(numpy, tensor):
    path = os.path.join(FOLDER, tensor["file"])
    return numpy.fromfile(path, dtype=tensor["numpy"]).reshape(tensor["shape"])


def store(numpy, index, name, value):
    array = numpy.asarray(value)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "f" and size in (2, 4, 8) or kind == "i" or kind == "u" and size in (1, 4):
        dtype = array.dtype.newbyteorder("<")
    elif kind == "b":
        dtype = numpy.dtype("u1")
    elif kind == "u":
        dtype = numpy.dtype("<i8")
    else:
        # Types that other packages add, such as bfloat16, fit in a binary32; text does not.
        dtype = numpy.dtype("<f4")
    shape = list(array.shape)
    array = numpy.ascontiguousarray(array.astype(dtype))
    file = f"output-{index}.bin"
    array.tofile(os.path.join(FOLDER, file))
    return {"name": name, "numpy": dtype.kind + str(dtype.itemsize), "shape": shape, "file": file}


def accepted(function, arguments):
    """What the function takes: everything where it has `**axes`, else what it names."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in arguments.items() if name in names}


def main():
    with open(os.path.join(FOLDER, "request.json"), encoding="utf-8") as file:
        request = json.load(file)
    try:
        import numpy
    except ImportError as error:
        return {"error": {"kind": "numpy", "message": str(error), "traceback": ""}}
    path = request["path"]
    sys.path.insert(0, os.path.dirname(path))
    arguments = {tensor["name"]: load(numpy, tensor) for tensor in request["tensors"]}
    arguments.update(request["scalars"])
    arguments.update(request["axes"])
    try:
        with open(path, encoding="utf-8") as file:
            module = {"__name__": "reference", "__file__": path}
            exec(compile(file.read(), path, "exec"), module)
        if request["function"] not in module:
            raise NameError(f"{os.path.basename(path)} has no function {request['function']}")
        function = module[request["function"]]
        outputs = function(**accepted(function, arguments))
        if not isinstance(outputs, dict):
            raise TypeError(f"a dict of outputs by name must come back, not {type(outputs).__name__}")
        wanted = [name for name in request["outputs"] if name in outputs]
        stored = [store(numpy, i, name, outputs[name]) for i, name in enumerate(wanted)]
        return {"outputs": stored, "present": sorted(map(str, outputs))}
    except BaseException as error:  # A reference that calls `exit` has failed too.
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename != __file__]
        lines = traceback.format_list(own) + traceback.format_exception_only(type(error), error)
        last = traceback.format_exception_only(type(error), error)[-1].strip()
        return {"error": {"kind": "exception", "message": last, "traceback": "".join(lines)}}


answer(main())
