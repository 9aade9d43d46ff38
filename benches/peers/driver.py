"""Launches CUBINs through the CUDA driver, in torch's context and on the stream it is given.

What a launch points at lives as long as what launches it: `Launch` holds the function, its module and
attributes, the packed arguments and the tensors behind them. The driver copies arguments when a launch is
issued or captured, but a captured graph goes on reading and writing the tensors.
"""

import ctypes

CLUSTER_DIMENSION = 4
PROGRAMMATIC_STREAM_SERIALIZATION = 6
MAX_DYNAMIC_SHARED_SIZE_BYTES = 8
SHARED_BYTES_WITHOUT_ASKING = 48 * 1024


class DriverError(Exception):
    """A driver call that failed, by name, or an argument that does not fit its parameter."""


class Attribute(ctypes.Structure):
    # CUlaunchAttribute: the value is a union of 64 bytes, aligned to 8.
    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_int), ("value", ctypes.c_uint * 16)]


class Config(ctypes.Structure):
    # CUlaunchConfig
    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_memory_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(Attribute)),
        ("n_attributes", ctypes.c_uint),
    ]


_POINTER = ctypes.c_void_p
SIGNATURES = {
    "cuGetErrorName": (ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)),
    "cuCtxGetCurrent": (ctypes.POINTER(_POINTER),),
    "cuModuleLoadData": (ctypes.POINTER(_POINTER), ctypes.c_char_p),
    "cuModuleGetFunction": (ctypes.POINTER(_POINTER), _POINTER, ctypes.c_char_p),
    "cuFuncSetAttribute": (_POINTER, ctypes.c_int, ctypes.c_int),
    "cuLaunchKernelEx": (ctypes.POINTER(Config), _POINTER, ctypes.POINTER(_POINTER), ctypes.POINTER(_POINTER)),
}


class Driver:
    """The driver API of the process; torch's context must be current in the calling thread."""

    def __init__(self, library=None):
        self.library = library or ctypes.CDLL("libcuda.so.1")
        for name, types in SIGNATURES.items():
            function = getattr(self.library, name)
            function.argtypes, function.restype = types, ctypes.c_int
        self.context = self.current()
        if not self.context:
            raise DriverError("no context is current: torch has not begun to use the GPU")

    def current(self):
        context = ctypes.c_void_p()
        self.call("cuCtxGetCurrent", ctypes.byref(context))
        return context.value

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status != 0:
            text = ctypes.c_char_p()
            self.library.cuGetErrorName(status, ctypes.byref(text))
            raise DriverError(f"{name}: {(text.value or b'error %d' % status).decode()}")


def packed(name, size, value):
    """An argument in the bytes that its parameter has; a tensor is its address."""
    if hasattr(value, "data_ptr"):
        if size != 8:
            raise DriverError(f"`{name}` is a tensor, its parameter has {size} bytes")
        if not value.is_contiguous():
            raise DriverError(f"`{name}` is not contiguous")
        return ctypes.c_void_p(value.data_ptr())
    kinds = {4: ctypes.c_float, 8: ctypes.c_double} if isinstance(value, float) else {4: ctypes.c_int, 8: ctypes.c_longlong}
    if size not in kinds:
        raise DriverError(f"`{name}` is {value!r}, its parameter has {size} bytes")
    made = kinds[size](value)
    if not isinstance(value, float) and made.value != value:
        raise DriverError(f"`{name}` is {value}, more than {size} bytes hold")
    return made


class Function:
    """A tuned candidate's kernel, loaded and ready to be bound to arguments. Its module is never unloaded."""

    def __init__(self, driver, tuned):
        self.driver, self.tuned = driver, tuned
        self.module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        self.image = (tuned.artifact / "kernel.cubin").read_bytes()
        driver.call("cuModuleLoadData", ctypes.byref(self.module), self.image)
        driver.call("cuModuleGetFunction", ctypes.byref(self.function), self.module, tuned.symbol.encode())
        if tuned.shared_memory_bytes > SHARED_BYTES_WITHOUT_ASKING:
            driver.call(
                "cuFuncSetAttribute", self.function, MAX_DYNAMIC_SHARED_SIZE_BYTES, tuned.shared_memory_bytes
            )
        attributes = []
        if tuned.cluster:
            cluster = Attribute(id=CLUSTER_DIMENSION)
            cluster.value[:3] = tuned.cluster
            attributes.append(cluster)
        if tuned.programmatic:
            programmatic = Attribute(id=PROGRAMMATIC_STREAM_SERIALIZATION)
            programmatic.value[0] = 1
            attributes.append(programmatic)
        self.attributes = (Attribute * max(1, len(attributes)))(*attributes)
        self.n_attributes = len(attributes)


class Launch:
    """A function with its arguments: `values` has a tensor or a number for each, by name."""

    def __init__(self, function, values):
        self.function, tuned = function, function.tuned
        missing = [name for name, _ in tuned.arguments if name not in values]
        if missing:
            raise DriverError(f"`{tuned.kernel}` wants {', '.join(missing)}, which the operation does not have")
        self.values = {name: values[name] for name, _ in tuned.arguments}
        self.arguments = [packed(name, size, values[name]) for name, size in tuned.arguments]
        self.pointers = (ctypes.c_void_p * len(self.arguments))(*map(ctypes.addressof, self.arguments))
        self.config = Config(
            grid=tuned.grid,
            block=tuned.block,
            shared_memory_bytes=tuned.shared_memory_bytes,
            attributes=function.attributes if function.n_attributes else None,
            n_attributes=function.n_attributes,
        )

    def __call__(self, stream):
        driver = self.function.driver
        if driver.current() != driver.context:
            raise DriverError("another context than torch's is current")
        self.config.stream = stream
        driver.call("cuLaunchKernelEx", ctypes.byref(self.config), self.function.function, self.pointers, None)
