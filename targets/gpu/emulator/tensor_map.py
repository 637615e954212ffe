"""Tensor maps for TMA: the emulator's own encoding, with the parameters of cuTensorMapEncodeTiled and -Im2col."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from accelc.core.diagnostics import UnsupportedError, UsageError

#: Bytes of a map, and the alignment of the kernel parameter that holds it.
BYTES = 128
ALIGNMENT = 64

# Element types: name, number (tensormap.replace's), bytes, whether NaN may fill it.
_TYPES = {
    "uint8": (0, 1, False),
    "uint16": (1, 2, False),
    "uint32": (2, 4, False),
    "int32": (3, 4, False),
    "uint64": (4, 8, False),
    "int64": (5, 8, False),
    "float16": (6, 2, True),
    "float32": (7, 4, True),
    "float32_ftz": (8, 4, True),
    "float64": (9, 8, True),
    "bfloat16": (10, 2, True),
    "tfloat32": (11, 4, True),
    "tfloat32_ftz": (12, 4, True),
}
_SAME_BITS = {"int8": "uint8", "bool": "uint8", "int16": "uint16"}  # a map only moves them
_INTERLEAVE = {"none": 0, "16B": 1, "32B": 2}
_SWIZZLE = {"none": 0, "32B": 1, "64B": 2, "128B": 3}
_SWIZZLE_SM100 = ("128B_ATOM_32B", "128B_ATOM_32B_FLIP_8B", "128B_ATOM_64B")
_L2_PROMOTION = {"none": 0, "64B": 1, "128B": 2, "256B": 3}
_OOB_FILL = {"zeros": 0, "nan": 1}

# The layout of core/machine/tensor_map.h.
_LAYOUT = struct.Struct("<Q8B4Q5I5H5Bx3h3hHH28x")
assert _LAYOUT.size == BYTES


class TensorMap:
    """A tensor in global memory and the box of it that one TMA instruction moves.

    Dimensions go from the inner one out, as in the driver's functions: the reverse of a numpy shape.

    Args:
        array: a C-contiguous numpy array, or a buffer of the emulator (then `dtype` and `dims` must be given).
        dtype: an element type of CUtensorMapDataType by its numpy name ("uint8" ... "float64", "bfloat16"), or
            "float32_ftz", "tfloat32", "tfloat32_ftz"; or a numpy dtype. By default the array's; signed bytes, bool and
            the 8, 6 and 4-bit types of ml_dtypes are moved as "uint8". A load of "tfloat32" rounds to nearest even.
        dims: 1 to 5 lengths, elements.
        strides: of dimensions 1 and on, bytes; by default rows follow each other without gaps.
        box: the lengths of the box, elements, for a tiled map; for an im2col map give the four last parameters.
        element_strides: the step in each dimension, 1 to 8; that of dimension 0 does not count.
        interleave: "none"; the layouts "16B" and "32B" are not modelled.
        swizzle: "none", "32B", "64B" or "128B": how 16-byte chunks are spread in shared memory.
        l2_promotion: "none", "64B", "128B" or "256B"; changes nothing here.
        oob_fill: "zeros" or "nan": what a load gives for elements outside of the tensor.
        lower_corner, upper_corner: im2col, ranks 3 to 5: where the box of pixels begins, from 0, and ends, from the
            last pixel, in the order of `dims` (W, then H, then D).
        channels: im2col: elements of dimension 0 in a pixel.
        pixels: im2col: pixels in a column.

    Raises:
        UsageError: the driver would refuse these parameters.
        UnsupportedError: an interleaved layout, or a swizzle of sm_100.
    """

    def __init__(
        self,
        array: Any,
        dtype: Any = None,
        dims: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        box: Sequence[int] | None = None,
        element_strides: Sequence[int] | None = None,
        interleave: str = "none",
        swizzle: str = "none",
        l2_promotion: str = "none",
        oob_fill: str = "zeros",
        lower_corner: Sequence[int] | None = None,
        upper_corner: Sequence[int] | None = None,
        channels: int | None = None,
        pixels: int | None = None,
    ) -> None:
        self.memory = array
        if isinstance(array, np.ndarray):
            if not array.flags.c_contiguous:
                raise UsageError("the array of a tensor map must be C-contiguous")
            if dtype is None:
                dtype = array.dtype
            if dims is None:
                dims = array.shape[::-1]
        elif dtype is None or dims is None:
            raise UsageError("a tensor map of a buffer needs its dtype and dims")
        self.dtype = _type_name(dtype)
        self._number, self.itemsize, floating = _TYPES[self.dtype]
        self.dims = _integers("dims", dims, 1, 1 << 32)
        rank = len(self.dims)
        if not 1 <= rank <= 5:
            raise UsageError(f"a tensor map has 1 to 5 dimensions, not {rank}")

        _choice("interleave", interleave, _INTERLEAVE)
        if interleave != "none":
            raise UnsupportedError(f"the interleaved layout {interleave} of tensor maps is not modelled")
        if swizzle in _SWIZZLE_SM100:
            raise UnsupportedError(f"the swizzle {swizzle} is of sm_100")
        self.swizzle = _choice("swizzle", swizzle, _SWIZZLE)
        self.l2_promotion = _choice("l2_promotion", l2_promotion, _L2_PROMOTION)
        self.oob_fill = _choice("oob_fill", oob_fill, _OOB_FILL)
        if oob_fill == "nan" and not floating:
            raise UsageError(f"only tensors of floating-point types are filled with NaN, not {self.dtype}")

        if strides is None:
            strides, row = [], self.itemsize
            for length in self.dims[:-1]:
                row *= length
                strides.append(row)
        self.strides = _integers("strides", strides, 0, (1 << 40) - 1, rank - 1)
        for stride in self.strides:
            if stride % 16:
                raise UsageError(f"the strides of a tensor map are multiples of 16 bytes, not {stride}")
        self.element_strides = _integers("element_strides", element_strides or (1,) * rank, 1, 8, rank)

        self.im2col = any(given is not None for given in (lower_corner, upper_corner, channels, pixels))
        self.box: tuple[int, ...] = ()
        self.lower_corner: tuple[int, ...] = ()
        self.upper_corner: tuple[int, ...] = ()
        self.channels = self.pixels = 0
        if self.im2col:
            self._im2col(box, lower_corner, upper_corner, channels, pixels)
        else:
            if box is None:
                raise UsageError("a tensor map needs a box")
            self.box = _integers("box", box, 1, 256, rank)
        row = (self.channels or self.box[0]) * self.itemsize
        if row % 16:
            raise UsageError(f"a row of the box has {row} bytes, which is not a multiple of 16")
        span = 16 << self.swizzle
        if self.swizzle and row > span:
            raise UsageError(f"a row of the box has {row} bytes, and the swizzle {swizzle} takes {span} at most")

    def _im2col(self, box: Any, lower: Any, upper: Any, channels: int | None, pixels: int | None) -> None:
        rank = len(self.dims)
        if box is not None or lower is None or upper is None or channels is None or pixels is None:
            raise UsageError("an im2col map has lower_corner, upper_corner, channels and pixels, and no box")
        if rank < 3:
            raise UsageError(f"an im2col map has 3 to 5 dimensions, not {rank}")
        limit = {3: 1 << 15, 4: 1 << 7, 5: 1 << 4}[rank]
        self.lower_corner = _integers("lower_corner", lower, -limit, limit - 1, rank - 2)
        self.upper_corner = _integers("upper_corner", upper, -limit, limit - 1, rank - 2)
        (self.channels,) = _integers("channels", [channels], 1, 256)
        (self.pixels,) = _integers("pixels", [pixels], 1, 1024)
        for length, first, last in zip(self.dims[1:], self.lower_corner, self.upper_corner, strict=False):
            if length - 1 + last < first:
                raise UsageError(f"the box of pixels from {first} to {length} - 1 + {last} is empty")

    @property
    def box_bytes(self) -> int:
        """Bytes of a box in shared memory: what a load adds to its mbarrier, parts outside of the tensor included."""
        if self.im2col:
            return self.channels * self.pixels * self.itemsize
        total = self.itemsize * self.box[0]
        for length, step in zip(self.box[1:], self.element_strides[1:], strict=True):
            total *= -(-length // step)
        return total

    def encode(self, address: int) -> bytes:
        """The 128 bytes of the map, for a tensor at a device address.

        Raises:
            UsageError: the address is not a multiple of 16.
        """
        if address % 16 or not 0 <= address < 1 << 64:
            raise UsageError(f"a tensor map's memory lies at a multiple of 16, not at {address:#x}")
        high = sum(1 << d for d, length in enumerate(self.dims) if length == 1 << 32)
        return _LAYOUT.pack(
            address,
            len(self.dims) - 1,
            self._number,
            0,
            self.swizzle,
            self.oob_fill,
            self.l2_promotion,
            self.im2col,
            high,
            *_padded(self.strides, 4),
            *_padded([length & 0xFFFFFFFF for length in self.dims], 5),
            *_padded(self.box, 5),
            *_padded(self.element_strides, 5),
            *_padded(self.lower_corner, 3),
            *_padded(self.upper_corner, 3),
            self.channels,
            self.pixels,
        )

    def __repr__(self) -> str:
        shape = f"channels={self.channels}, pixels={self.pixels}" if self.im2col else f"box={self.box}"
        return f"TensorMap({self.dtype}, dims={self.dims}, {shape})"


def _type_name(dtype: Any) -> str:
    if isinstance(dtype, str) and dtype in _TYPES:
        return dtype
    try:
        described = np.dtype(dtype)
    except TypeError as error:
        raise UsageError(f"{dtype!r} is no element type of a tensor map; there are {', '.join(_TYPES)}") from error
    name = str(described.name)
    if name in _TYPES:
        return name
    if name in _SAME_BITS:
        return _SAME_BITS[name]
    if described.itemsize == 1:  # ml_dtypes' narrow floats and integers, one to a byte
        return "uint8"
    raise UsageError(f"{name} is no element type of a tensor map; there are {', '.join(_TYPES)}")


def _choice(what: str, word: str, choices: dict[str, int]) -> int:
    if word not in choices:
        raise UsageError(f"{what} is one of {', '.join(choices)}, not {word!r}")
    return choices[word]


def _integers(what: str, values: Any, low: int, high: int, count: int | None = None) -> tuple[int, ...]:
    try:
        numbers = tuple(int(v) for v in values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} of a tensor map are integers, not {values!r}") from error
    if count is not None and len(numbers) != count:
        raise UsageError(f"{what} of this tensor map are {count}, not {len(numbers)}")
    for number in numbers:
        if not low <= number <= high:
            raise UsageError(f"{what} of a tensor map lie in {low} to {high}; {number} does not")
    return numbers


def _padded(values: Sequence[int], count: int) -> list[int]:
    return [*values, *[0] * (count - len(values))]
