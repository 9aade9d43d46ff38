"""Builds `stub_driver.c` and lets tests see what a kernel told it."""

import ctypes
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


class _Launch(ctypes.Structure):
    _fields_ = (
        ("symbol", ctypes.c_char * 256),
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("cluster", ctypes.c_uint * 3),
        ("programmatic", ctypes.c_int),
        ("stream", ctypes.c_uint64),
        ("dynamic_shared", ctypes.c_int),
        ("bytes", ctypes.c_int),
        ("data", ctypes.c_ubyte * 512),
    )


@dataclass(frozen=True)
class Launch:
    """One launch, as the driver got it."""

    symbol: str
    grid: tuple
    block: tuple
    shared: int
    cluster: tuple | None
    programmatic: bool
    stream: int
    dynamic_shared: int
    data: bytes

    def values(self, layout):
        """Its parameters by a `struct` layout, without padding."""
        return struct.unpack("=" + layout, self.data)


class StubDriver:
    """The stub as a library; `path` is what `_ridge.driver.Driver` loads."""

    def __init__(self, folder):
        """folder: where the library is built."""
        self.path = str(Path(folder) / "libstub_driver.so")
        source = HERE / "stub_driver.c"
        command = ["cc", "-O2", "-shared", "-fPIC", "-o", self.path, str(source)]
        subprocess.run(command, check=True)
        self.library = ctypes.CDLL(self.path)
        self.library.stub_launch.restype = ctypes.POINTER(_Launch)
        self.library.stub_image.restype = ctypes.c_char_p

    def launches(self):
        """Every launch since the last reset."""
        return [self._launch(n) for n in range(self.library.stub_launches())]

    def _launch(self, number):
        raw = self.library.stub_launch(number).contents
        return Launch(
            raw.symbol.decode(),
            tuple(raw.grid),
            tuple(raw.block),
            raw.shared,
            tuple(raw.cluster) if any(raw.cluster) else None,
            bool(raw.programmatic),
            raw.stream,
            raw.dynamic_shared,
            bytes(raw.data[: raw.bytes]),
        )
