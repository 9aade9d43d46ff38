"""Launches CUBINs through the CUDA driver, in torch's context and on its current stream."""

import ctypes

CLUSTER_DIMENSION = 4
PROGRAMMATIC_STREAM_SERIALIZATION = 6
MAX_DYNAMIC_SHARED_SIZE_BYTES = 8


class DriverError(Exception):
    """A driver call that failed, by name."""


class _Attribute(ctypes.Structure):
    # CUlaunchAttribute: the value is a union of 64 bytes, aligned to 8.
    _fields_ = [("id", ctypes.c_int), ("padding", ctypes.c_int), ("value", ctypes.c_uint * 16)]


class _Config(ctypes.Structure):
    # CUlaunchConfig
    _fields_ = [
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_memory_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("n_attributes", ctypes.c_uint),
    ]


class Driver:
    """The driver API of the process; a context must be current."""

    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")

    def call(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status != 0:
            text = ctypes.c_char_p()
            self.library.cuGetErrorName(status, ctypes.byref(text))
            raise DriverError(f"{name}: {(text.value or b'error %d' % status).decode()}")


class Function:
    """A tuned candidate's kernel, loaded and ready to launch."""

    def __init__(self, driver, tuned):
        self.driver, self.tuned = driver, tuned
        self.module, self.function = ctypes.c_void_p(), ctypes.c_void_p()
        image = (tuned.artifact / "kernel.cubin").read_bytes()
        driver.call("cuModuleLoadData", ctypes.byref(self.module), image)
        driver.call("cuModuleGetFunction", ctypes.byref(self.function), self.module, tuned.symbol.encode())
        if tuned.shared_memory_bytes > 48 * 1024:
            driver.call(
                "cuFuncSetAttribute", self.function, MAX_DYNAMIC_SHARED_SIZE_BYTES, tuned.shared_memory_bytes
            )
        attributes = []
        if tuned.cluster:
            cluster = _Attribute(id=CLUSTER_DIMENSION)
            cluster.value[:3] = tuned.cluster
            attributes.append(cluster)
        if tuned.programmatic:
            programmatic = _Attribute(id=PROGRAMMATIC_STREAM_SERIALIZATION)
            programmatic.value[0] = 1
            attributes.append(programmatic)
        self.attributes = (_Attribute * max(1, len(attributes)))(*attributes)
        self.n_attributes = len(attributes)

    def bind(self, values):
        """A closure that launches on a stream, given as a handle. `values` has a tensor or a number for
        each argument by name, which stay alive as long as the closure."""
        holders = []
        for name, size in self.tuned.arguments:
            value = values[name]
            if hasattr(value, "data_ptr"):
                holders.append(ctypes.c_void_p(value.data_ptr()))
            elif isinstance(value, float):
                holders.append(ctypes.c_double(value) if size == 8 else ctypes.c_float(value))
            else:
                holders.append(ctypes.c_longlong(value) if size == 8 else ctypes.c_int(value))
        pointers = (ctypes.c_void_p * len(holders))(*[ctypes.cast(ctypes.byref(h), ctypes.c_void_p) for h in holders])
        config = _Config(
            grid=self.tuned.grid,
            block=self.tuned.block,
            shared_memory_bytes=self.tuned.shared_memory_bytes,
            attributes=self.attributes,
            n_attributes=self.n_attributes,
        )

        def launch(stream, _alive=(holders, values)):
            config.stream = stream
            self.driver.call("cuLaunchKernelEx", ctypes.byref(config), self.function, pointers, None)

        return launch
