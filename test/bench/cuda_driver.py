"""A GPU with the face of the emulator: PTX through the CUDA driver's API, by ctypes.

    gpu = Gpu(ptx)
    gpu.launch("kernel", grid=(4, 1, 1), block=(256, 1, 1), args=[x, y, 2.0, 1024])

Arrays are copied to the device before a launch and back after it. There is no sanitizer, and the report is empty.
Nothing here has been run on a GPU yet.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError
from accelc.targets.gpu.emulator import Emulator, LaunchError, Report, TensorMap
from accelc.targets.gpu.emulator.arguments import Arguments

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_NON_PORTABLE_CLUSTER = 14  # CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
_COOPERATIVE, _CLUSTER = 2, 4  # CUlaunchAttributeID
_BUFFER_POINTER, _BUFFER_SIZE = 1, 2  # CU_LAUNCH_PARAM_BUFFER_POINTER and _SIZE
_ERROR_LOG, _ERROR_LOG_BYTES = 5, 6  # CU_JIT_ERROR_LOG_BUFFER and _SIZE_BYTES


class GpuError(RuntimeError):
    """The driver refused something; the message is its own."""


class _Attribute(ctypes.Structure):
    _fields_ = (("id", ctypes.c_uint), ("pad", ctypes.c_uint), ("value", ctypes.c_uint * 16))


class _Config(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("count", ctypes.c_uint),
    )


@functools.cache
def _driver() -> Any:
    """libcuda with a context of the first device. Raises UnsupportedError where there is none."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise UnsupportedError("there is no CUDA driver here (libcuda.so.1)", notes=(str(error),)) from None
    device, context = ctypes.c_int(), ctypes.c_void_p()
    try:
        for call in (
            lambda: library.cuInit(0),
            lambda: library.cuDeviceGet(ctypes.byref(device), 0),
            lambda: library.cuDevicePrimaryCtxRetain(ctypes.byref(context), device),
            lambda: library.cuCtxSetCurrent(context),
        ):
            _check(library, call())
    except GpuError as error:
        raise UnsupportedError(f"there is no GPU here: {error}") from None
    return library


def _check(library: Any, code: int) -> None:
    if code != 0:
        text = ctypes.c_char_p()
        library.cuGetErrorString(code, ctypes.byref(text))
        raise GpuError(f"CUDA error {code}: {(text.value or b'unknown').decode()}")


def _call(name: str, *args: Any) -> None:
    library = _driver()
    _check(library, getattr(library, name)(*args))


def device_name() -> str:
    """The first device's name, and the driver's version."""
    name, version = ctypes.create_string_buffer(256), ctypes.c_int()
    _call("cuDeviceGetName", name, 256, 0)
    _call("cuDriverGetVersion", ctypes.byref(version))
    return f"{name.value.decode()}, driver {version.value // 1000}.{version.value % 1000 // 10}"


class Memory:
    """Device memory; passed to a launch it is its address. The methods are those of the emulator's buffers."""

    def __init__(self, address: int, nbytes: int) -> None:
        self.address, self.nbytes = address, nbytes

    def write(self, data: bytes | np.ndarray[Any, Any], offset: int = 0) -> None:
        """Copies ``data`` to ``offset`` bytes from the start."""
        raw = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
        if raw:
            _call("cuMemcpyHtoD_v2", ctypes.c_uint64(self.address + offset), raw, ctypes.c_size_t(len(raw)))

    def read(self, nbytes: int | None = None, offset: int = 0) -> bytes:
        """A copy of ``nbytes`` (default: the rest) from ``offset`` on."""
        raw = ctypes.create_string_buffer(self.nbytes - offset if nbytes is None else nbytes)
        if len(raw):
            _call("cuMemcpyDtoH_v2", raw, ctypes.c_uint64(self.address + offset), ctypes.c_size_t(len(raw)))
        return raw.raw

    def array(self, dtype: Any, shape: int | tuple[int, ...] = -1, offset: int = 0) -> np.ndarray[Any, Any]:
        """A copy as an array (default: 1-d, all that is there)."""
        raw = self.read(offset=offset)
        count = int(np.prod(shape)) if shape != -1 else len(raw) // np.dtype(dtype).itemsize
        return np.frombuffer(raw, dtype, count).reshape(shape).copy()

    def region(self, offset: int, length: int) -> Memory:
        """Bytes [offset, offset + length), which a GPU does not bound."""
        return Memory(self.address + offset, length)


def allocate(nbytes: int) -> Memory:
    """Device memory of ``nbytes`` that lives until `free`."""
    address = ctypes.c_uint64()
    _call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(nbytes, 1)))
    return Memory(address.value, nbytes)


def free(memory: Memory) -> None:
    """Gives memory back."""
    _call("cuMemFree_v2", ctypes.c_uint64(memory.address))


class _DeviceArguments(Arguments):
    """The bytes of the parameters, with arrays in the GPU's memory."""

    def __init__(self, parameters: Any, size: int) -> None:
        self.device: list[tuple[Memory, np.ndarray[Any, Any]]] = []
        core = SimpleNamespace(Region=self._region)
        super().__init__(core, SimpleNamespace(take_address=self._take), parameters, size)  # type: ignore[arg-type]

    def _take(self, nbytes: int) -> int:
        self._last = allocate(nbytes)
        return self._last.address

    def _region(self, address: int, flat: np.ndarray[Any, Any], *_: Any) -> Any:
        self._last.write(flat)
        self.device.append((self._last, flat))
        return SimpleNamespace(address=address)

    def _pack(self, arg: Any, p: Any, index: int) -> bytes:
        if isinstance(arg, Memory):
            return arg.address.to_bytes(8, "little")
        if isinstance(arg, TensorMap):
            return _encode(arg, self._tensor_address(arg, index))
        return super()._pack(arg, p, index)


def _encode(tensor: TensorMap, address: int) -> bytes:
    """The driver's own 128 bytes for a tensor map."""
    raw = ctypes.create_string_buffer(128 + 64)
    start = -ctypes.addressof(raw) % 64  # it must be aligned to 64 bytes
    place = ctypes.byref(raw, start)
    rank = len(tensor.dims)
    dims = (ctypes.c_uint64 * rank)(*tensor.dims)
    strides = (ctypes.c_uint64 * max(rank - 1, 1))(*tensor.strides)
    steps = (ctypes.c_uint32 * rank)(*tensor.element_strides)
    head = (place, tensor._number, ctypes.c_uint32(rank), ctypes.c_void_p(address), dims, strides)
    modes = (0, tensor.swizzle, tensor.l2_promotion, tensor.oob_fill)
    if tensor.im2col:
        lower = (ctypes.c_int * (rank - 2))(*tensor.lower_corner)
        upper = (ctypes.c_int * (rank - 2))(*tensor.upper_corner)
        box: tuple[Any, ...] = (lower, upper, ctypes.c_uint32(tensor.channels), ctypes.c_uint32(tensor.pixels))
        _call("cuTensorMapEncodeIm2col", *head, *box, steps, *modes)
    else:
        _call("cuTensorMapEncodeTiled", *head, (ctypes.c_uint32 * rank)(*tensor.box), steps, *modes)
    return raw.raw[start : start + 128]


class Gpu:
    """A module on the GPU, with the methods of `Emulator` that programs use.

    Raises GpuError where the driver does not take the PTX (its log is the message).
    """

    def __init__(self, ptx: str) -> None:
        self._parsed = Emulator(ptx)  # what the kernels take
        self.kernels = self._parsed.kernels
        self._module = ctypes.c_void_p()
        log = ctypes.create_string_buffer(8192)
        options = (ctypes.c_int * 2)(_ERROR_LOG, _ERROR_LOG_BYTES)
        values = (ctypes.c_void_p * 2)(ctypes.addressof(log), 8192)
        try:
            _call("cuModuleLoadDataEx", ctypes.byref(self._module), ptx.encode() + b"\0", 2, options, values)
        except GpuError as error:
            raise GpuError(f"{error}\n{log.value.decode(errors='replace')}") from None

    def buffer(self, nbytes: int) -> Memory:
        """Device memory of ``nbytes``."""
        return allocate(nbytes)

    def symbol(self, name: str) -> Memory:
        """A variable of the module."""
        address, size = ctypes.c_uint64(), ctypes.c_size_t()
        _call("cuModuleGetGlobal_v2", ctypes.byref(address), ctypes.byref(size), self._module, name.encode())
        return Memory(address.value, size.value)

    def launch(
        self,
        kernel: str,
        *,
        grid: Any = 1,
        block: Any = 1,
        args: Sequence[Any] = (),
        shared_bytes: int = 0,
        cluster: Any = None,
        cooperative: bool = False,
        **_: Any,
    ) -> Report:
        """Runs a kernel and waits for it; arrays are written in place. Options of the emulator alone are ignored."""
        if kernel not in self.kernels:
            raise LaunchError(f"the module has no kernel {kernel}")
        size = self._parsed._module.parameter_bytes(kernel)
        arguments = _DeviceArguments(self.kernels[kernel], size)
        try:
            arguments.fill(args)
            self._launch(kernel, _triple(grid), _triple(block), arguments, shared_bytes, cluster, cooperative)
            for memory, flat in arguments.device:
                if flat.flags.writeable:
                    flat[...] = np.frombuffer(memory.read(), np.uint8)
        finally:
            for memory, _flat in arguments.device:
                free(memory)
        return Report(kernel)

    def _launch(
        self,
        kernel: str,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Arguments,
        shared_bytes: int,
        cluster: Any,
        cooperative: bool,
    ) -> None:
        function = ctypes.c_void_p()
        _call("cuModuleGetFunction", ctypes.byref(function), self._module, kernel.encode())
        if shared_bytes > 48 * 1024:
            _call("cuFuncSetAttribute", function, _MAX_DYNAMIC_SHARED, shared_bytes)
        wanted = []
        if cluster is not None:
            if int(np.prod(_triple(cluster))) > 8:
                _call("cuFuncSetAttribute", function, _NON_PORTABLE_CLUSTER, 1)
            wanted.append(_Attribute(_CLUSTER, 0, (ctypes.c_uint * 16)(*_triple(cluster))))
        if cooperative:
            wanted.append(_Attribute(_COOPERATIVE, 0, (ctypes.c_uint * 16)(1)))
        attributes = (_Attribute * max(len(wanted), 1))(*wanted)
        config = _Config(tuple(grid), tuple(block), shared_bytes, None, attributes, len(wanted))
        raw = ctypes.create_string_buffer(bytes(arguments.bytes), max(len(arguments.bytes), 1))
        size = ctypes.c_size_t(len(arguments.bytes))
        extra = (ctypes.c_void_p * 5)(
            _BUFFER_POINTER, ctypes.addressof(raw), _BUFFER_SIZE, ctypes.addressof(size), None
        )
        _call("cuLaunchKernelEx", ctypes.byref(config), function, None, extra)
        _call("cuCtxSynchronize")


def _triple(extent: Any) -> tuple[int, int, int]:
    values = (extent,) if isinstance(extent, int) else tuple(int(v) for v in extent)
    x, y, z = (*values, 1, 1)[:3]
    return x, y, z
