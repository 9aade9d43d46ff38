"""The CUDA driver through ctypes: modules of a device, and launches from prepared memory."""

import ctypes
import struct
import sys
import threading

from .choice import Device, runs_binary, runs_ptx

# CUdevice_attribute.
_THREADS_PER_BLOCK = 1
_CAPABILITY_MAJOR = 75
_CAPABILITY_MINOR = 76
_SHARED_PER_BLOCK = 97
_CLUSTER_LAUNCH = 120

# CUfunction_attribute.
_FUNCTION_THREADS_PER_BLOCK = 0
_FUNCTION_DYNAMIC_SHARED = 8

# CUlaunchAttributeID.
_CLUSTER_DIMENSION = 4
_PROGRAMMATIC_SERIALIZATION = 6

# CUjit_option.
_JIT_ERROR_LOG_BUFFER = 5
_JIT_ERROR_LOG_BUFFER_SIZE = 6

_CAPTURE_MODE_RELAXED = 2
_LOG_BYTES = 4096

# CUlaunchConfig: grid and block, shared memory, padding, stream, attributes, their number, padding.
_CONFIG = struct.Struct("=7I4xQQI4x")
STREAM_OFFSET_BYTES = 32
# CUlaunchAttribute: id, padding, a value of 64 bytes.
_ATTRIBUTE_BYTES = 72

# Statuses that mean that this thread has no context, or another's.
CONTEXT_STATUSES = (201, 400)


class DriverError(RuntimeError):
    """The driver refused something; the message has its name and text for it."""


class Driver:
    """The driver library; one a process is enough."""

    def __init__(self, path=None):
        """path: the library, where it is not the system's."""
        if path is None:
            path = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise DriverError(f"the CUDA driver `{path}` does not load: {error}") from error
        launch = getattr(self._library, "cuLaunchKernelEx", None)
        if launch is None:
            raise DriverError("the CUDA driver is older than 11.8")
        # Without declared types: its arguments are always ctypes pointers, which saves conversions.
        self.launch = launch
        self._contexts = {}
        self._check("cuInit", 0)

    def device(self, index, name):
        """What the driver says of a device; `name` as torch gives it."""
        return Device(
            name,
            (self._attribute(index, _CAPABILITY_MAJOR), self._attribute(index, _CAPABILITY_MINOR)),
            self._attribute(index, _THREADS_PER_BLOCK),
            self._attribute(index, _SHARED_PER_BLOCK),
            8 if self._attribute(index, _CLUSTER_LAUNCH) else 1,
        )

    def bind_primary_context(self, index):
        """Makes the device's primary context, which is torch's, this thread's."""
        context = self._contexts.get(index)
        if context is None:
            context = ctypes.c_void_p()
            handle = self._handle(index)
            self._check("cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
            self._contexts[index] = context
        self._check("cuCtxSetCurrent", context)

    def relaxed(self):
        """A context in which this thread may load modules while a stream is captured."""
        return _Relaxed(self._library)

    def load(self, folder, artifact, capability):
        """The function of an artifact in this thread's context: its CUBIN, or its PTX.

        Raises DriverError where there is neither for the device, or the driver takes neither.
        """
        errors = []
        for image, what in _images(folder, artifact, capability):
            try:
                return self._function(image, what, artifact.symbol)
            except DriverError as error:
                errors.append(str(error))
        raise DriverError(
            "; ".join(errors) or f"no binary for compute capability {capability[0]}.{capability[1]}"
        )

    def allow_shared_memory(self, function, size_bytes):
        """Lets a function have so much dynamic shared memory; above 48 KiB it must be asked for."""
        self._check(
            "cuFuncSetAttribute",
            function,
            ctypes.c_int(_FUNCTION_DYNAMIC_SHARED),
            ctypes.c_int(size_bytes),
        )

    def threads_per_block(self, function):
        """The most threads a block of this function can have on its device."""
        value = ctypes.c_int()
        what = ctypes.c_int(_FUNCTION_THREADS_PER_BLOCK)
        self._check("cuFuncGetAttribute", ctypes.byref(value), what, function)
        return value.value

    def error(self, call, status):
        """The DriverError of a status."""
        words = []
        for name in ("cuGetErrorName", "cuGetErrorString"):
            text = ctypes.c_char_p()
            known = getattr(self._library, name)(status, ctypes.byref(text)) == 0
            words.append(text.value.decode() if known and text.value else str(status))
        return DriverError(f"{call}: {words[0]} ({words[1]})")

    def _check(self, name, *arguments):
        status = getattr(self._library, name)(*arguments)
        if status != 0:
            raise self.error(name, status)

    def _handle(self, index):
        handle = ctypes.c_int()
        self._check("cuDeviceGet", ctypes.byref(handle), index)
        return handle

    def _attribute(self, index, attribute):
        value = ctypes.c_int()
        handle = self._handle(index)
        self._check("cuDeviceGetAttribute", ctypes.byref(value), attribute, handle)
        return value.value

    def _function(self, image, what, symbol):
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        log = ctypes.create_string_buffer(_LOG_BYTES)
        options = (ctypes.c_int * 2)(_JIT_ERROR_LOG_BUFFER, _JIT_ERROR_LOG_BUFFER_SIZE)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), _LOG_BYTES)
        status = self._library.cuModuleLoadDataEx(
            ctypes.byref(module), image, ctypes.c_uint(2), options, values
        )
        if status != 0:
            text = log.value.decode(errors="replace").strip()
            error = self.error("cuModuleLoadDataEx", status)
            raise DriverError(f"{what}: {error}" + (f": {text}" if text else ""))
        self._check("cuModuleGetFunction", ctypes.byref(function), module, symbol.encode())
        return function


class _Relaxed:
    """While a stream is captured, the driver refuses what could wait for it, loading included."""

    def __init__(self, library):
        self._exchange = library.cuThreadExchangeStreamCaptureMode
        self._mode = ctypes.c_int(_CAPTURE_MODE_RELAXED)

    def __enter__(self):
        self._exchange(ctypes.byref(self._mode))

    def __exit__(self, *_):
        self._exchange(ctypes.byref(self._mode))


def _images(folder, artifact, capability):
    """The files that may run on a device, best first, each with words for it."""
    fitting = [name for name in sorted(artifact.cubin) if runs_binary(name, capability)]
    for architecture in reversed(fitting):
        path = folder / artifact.cubin[architecture]
        yield path.read_bytes(), f"`{artifact.cubin[architecture]}`"
    if artifact.ptx is not None and runs_ptx(artifact.ptx["target"], capability):
        path = folder / artifact.ptx["file"]
        yield path.read_bytes() + b"\0", f"`{artifact.ptx['file']}`"


class Functions:
    """The loaded functions of one device, each artifact once."""

    def __init__(self, driver, folder, index, device):
        self.driver = driver
        self.device = device
        self._folder = folder
        self._index = index
        self._lock = threading.Lock()
        self._functions = {}
        self._shared_memory = {}

    def get(self, entry, config):
        """The function of an entry, ready for this launch.

        Raises DriverError where it does not load or does not fit the device. The device must be
        torch's current one.
        """
        with self._lock, self.driver.relaxed():
            self.driver.bind_primary_context(self._index)
            digest = entry.artifact.digest
            function = self._functions.get(digest)
            if isinstance(function, DriverError):
                raise function
            if function is None:
                function = self._load(entry.artifact)
            threads = config.block[0] * config.block[1] * config.block[2]
            most = self.driver.threads_per_block(function)
            if threads > most:
                raise DriverError(f"blocks of {threads} threads do not fit, {most} would")
            # Never lowered: a launch with more may be waiting in a graph.
            if config.shared_memory_bytes > self._shared_memory.get(digest, 0):
                self.driver.allow_shared_memory(function, config.shared_memory_bytes)
                self._shared_memory[digest] = config.shared_memory_bytes
            return function

    def _load(self, artifact):
        try:
            function = self.driver.load(self._folder, artifact, self.device.capability)
        except (DriverError, OSError) as error:
            kept = error if isinstance(error, DriverError) else DriverError(str(error))
            self._functions[artifact.digest] = kept
            raise kept from None
        self._functions[artifact.digest] = function
        return function


class Slot:
    """Memory of one launch: its parameters and configuration, as the driver reads them."""

    __slots__ = ("_address", "config", "memory", "parameters", "stream")

    def __init__(self, config, layout):
        """config: a LaunchConfig; layout: offset and size of each parameter, bytes."""
        attributes = _attributes(config)
        block_bytes = max((offset + size for offset, size in layout), default=0)
        at_config = -(-block_bytes // 16) * 16
        at_attributes = at_config + _CONFIG.size
        at_pointers = at_attributes + len(attributes)
        self.memory = bytearray(at_pointers + 8 * len(layout))
        array = (ctypes.c_char * len(self.memory)).from_buffer(self.memory)
        start = ctypes.addressof(array)
        self._address = array
        _CONFIG.pack_into(
            self.memory,
            at_config,
            *config.grid,
            *config.block,
            config.shared_memory_bytes,
            0,
            start + at_attributes,
            len(attributes) // _ATTRIBUTE_BYTES,
        )
        self.memory[at_attributes:at_pointers] = attributes
        pointers = [start + offset for offset, _ in layout]
        struct.pack_into(f"={len(layout)}Q", self.memory, at_pointers, *pointers)
        self.config = ctypes.c_void_p(start + at_config)
        self.parameters = ctypes.c_void_p(start + at_pointers)
        self.stream = 0

    def set_stream(self, stream):
        """Launches go to this stream from now on."""
        at = self.config.value - ctypes.addressof(self._address) + STREAM_OFFSET_BYTES
        struct.pack_into("=Q", self.memory, at, stream)
        self.stream = stream


def _attributes(config):
    attributes = b""
    if config.cluster is not None:
        value = struct.pack("=3I", *config.cluster)
        attributes += struct.pack("=I4x64s", _CLUSTER_DIMENSION, value)
    if config.programmatic:
        value = struct.pack("=i", 1)
        attributes += struct.pack("=I4x64s", _PROGRAMMATIC_SERIALIZATION, value)
    return attributes
