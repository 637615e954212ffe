"""The plan as data: what `main` of a compiled model does, as the artifact stores it and the runtime reads it.

It is a 1:1 form of the `plan` dialect: buffers (where the values live) and steps (launches and copies), in order.
Nothing here needs MLIR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import ml_dtypes  # registers bfloat16, float8 and the 4-bit types with numpy
import numpy as np

from accelc.core.diagnostics import ArtifactError, UsageError

Array = np.ndarray[Any, Any]

BufferKind = Literal["arena", "constant", "input", "output"]

# The 4-bit types take a byte an element, as in ml_dtypes: the number lies in the lower half.
DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(scalar)
    for name, scalar in {
        "f16": np.float16,
        "bf16": ml_dtypes.bfloat16,
        "f32": np.float32,
        "f64": np.float64,
        "f8E4M3FN": ml_dtypes.float8_e4m3fn,
        "f8E5M2": ml_dtypes.float8_e5m2,
        "f4E2M1FN": ml_dtypes.float4_e2m1fn,
        "si4": ml_dtypes.int4,
        "si8": np.int8,
        "si16": np.int16,
        "si32": np.int32,
        "si64": np.int64,
        "ui4": ml_dtypes.uint4,
        "ui8": np.uint8,
        "ui16": np.uint16,
        "ui32": np.uint32,
        "ui64": np.uint64,
        "i1": np.bool_,
        # Signless integers, as they stand below `nn`: their bits are all that a buffer needs.
        "i4": ml_dtypes.int4,
        "i8": np.int8,
        "i16": np.int16,
        "i32": np.int32,
        "i64": np.int64,
        "index": np.int64,
    }.items()
}


@dataclass(frozen=True)
class TensorSpec:
    """A model input or output: its name, element type (as in the `nn` dialect) and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class Buffer:
    """Where a value lives.

    kind: ``arena`` (``offset`` bytes into the arena), ``constant`` (``ref`` names it), ``input`` or ``output``
    (``index`` among the model's).
    """

    kind: BufferKind
    dtype: str
    shape: tuple[int, ...]
    offset: int = 0
    ref: str = ""
    index: int = 0

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class Launch:
    """Runs ``kernel`` on ``device`` (``target`` or ``host``) with buffers (indices into the plan's table).

    provenance: names of the model's nodes that this launch computes.
    """

    kernel: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    device: str = "target"
    provenance: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """Copies one buffer to another of the same size."""

    source: int
    destination: int


Step = Launch | Copy


@dataclass(frozen=True)
class Plan:
    """Everything that `main` does."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    buffers: tuple[Buffer, ...]
    steps: tuple[Step, ...]
    arena_bytes: int

    @property
    def launches(self) -> tuple[Launch, ...]:
        """The launches, in order."""
        return tuple(s for s in self.steps if isinstance(s, Launch))

    def nodes_of(self, kernel: str) -> str | None:
        """The model's nodes that a kernel computes where it is first launched, for messages; None without names."""
        for launch in self.launches:
            if launch.kernel == kernel and launch.provenance:
                return ", ".join(launch.provenance)
        return None

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` turns back into an equal plan."""
        return {
            "inputs": [asdict(t) for t in self.inputs],
            "outputs": [asdict(t) for t in self.outputs],
            "buffers": [asdict(b) for b in self.buffers],
            "steps": [{"op": type(s).__name__.lower(), **asdict(s)} for s in self.steps],
            "arena_bytes": self.arena_bytes,
        }

    @staticmethod
    def from_json(data: Any) -> Plan:
        """Reads what `to_json` wrote, and checks every reference. Raises ArtifactError on anything else."""
        try:
            plan = Plan(
                inputs=tuple(_spec(t) for t in data["inputs"]),
                outputs=tuple(_spec(t) for t in data["outputs"]),
                buffers=tuple(_buffer(b) for b in data["buffers"]),
                steps=tuple(_step(s) for s in data["steps"]),
                arena_bytes=int(data["arena_bytes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"the plan is malformed: {type(error).__name__} {error}") from None
        plan._check()
        return plan

    def _check(self) -> None:
        for i, b in enumerate(self.buffers):
            limit = {"input": len(self.inputs), "output": len(self.outputs)}.get(b.kind)
            if limit is not None:
                specs = self.inputs if b.kind == "input" else self.outputs
                if not 0 <= b.index < limit or b.nbytes != specs[b.index].nbytes:
                    raise ArtifactError(f"plan buffer {i} does not fit the model's {b.kind} {b.index}")
            elif b.kind == "arena" and not 0 <= b.offset <= self.arena_bytes - b.nbytes:
                raise ArtifactError(f"plan buffer {i} lies outside the arena of {self.arena_bytes} bytes")
            elif b.kind not in ("arena", "constant"):
                raise ArtifactError(f"plan buffer {i} has the unknown kind '{b.kind}'")
        for i, s in enumerate(self.steps):
            used = (*s.inputs, *s.outputs) if isinstance(s, Launch) else (s.source, s.destination)
            if any(not 0 <= u < len(self.buffers) for u in used):
                raise ArtifactError(f"plan step {i} names a buffer that does not exist")
            if isinstance(s, Copy) and self.buffers[s.source].nbytes != self.buffers[s.destination].nbytes:
                raise ArtifactError(f"plan step {i} copies between buffers of different sizes")


def check_inputs(specs: Sequence[TensorSpec], values: Sequence[Any]) -> list[Array]:
    """``values`` as contiguous arrays, in the order of ``specs``; those that are so already are not copied.

    Raises UsageError where their number, or a shape or element type, is not the specs'.
    """
    if len(values) != len(specs):
        raise UsageError(
            f"the model takes {len(specs)} inputs, not {len(values)}", notes=(f"it takes: {describe_specs(specs)}",)
        )
    return [_check_input(spec, value) for spec, value in zip(specs, values, strict=True)]


def _check_input(spec: TensorSpec, value: Any) -> Array:
    array = np.asarray(value)
    wanted = DTYPES[spec.dtype]
    if array.dtype != wanted:
        raise UsageError(f"input '{spec.name}' must be {wanted}, not {array.dtype}")
    if array.shape != spec.shape:
        raise UsageError(f"input '{spec.name}' must have shape {list(spec.shape)}, not {list(array.shape)}")
    # Not np.ascontiguousarray alone: it gives arrays of rank 0 a dimension.
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def find_constant(buffer: Buffer, constants: Mapping[str, Any]) -> Array:
    """The contiguous array of a constant's buffer; a memory map stays one.

    Raises ArtifactError where there is none, or it has another size than the plan says.
    """
    if buffer.ref not in constants:
        raise ArtifactError(f"the plan names the constant '{buffer.ref}', which the artifact does not hold")
    array = np.ascontiguousarray(constants[buffer.ref])
    if array.nbytes != buffer.nbytes:
        raise ArtifactError(
            f"constant '{buffer.ref}' is {array.dtype}{list(array.shape)}; the plan expects "
            f"{buffer.dtype}{list(buffer.shape)}"
        )
    return array


def describe_specs(specs: Sequence[TensorSpec]) -> str:
    """Specs as a person reads them: ``x f32[1, 3], ids si64[1]``."""
    return ", ".join(f"{s.name} {s.dtype}{list(s.shape)}" for s in specs) or "none"


def _shape(value: Any) -> tuple[int, ...]:
    shape = tuple(int(d) for d in value)
    if any(d < 0 for d in shape):
        raise ValueError(f"negative dimension in {shape}")
    return shape


def _dtype(value: Any) -> str:
    if value not in DTYPES:
        raise ValueError(f"unknown element type {value!r}")
    return str(value)


def _spec(data: Any) -> TensorSpec:
    return TensorSpec(str(data["name"]), _dtype(data["dtype"]), _shape(data["shape"]))


def _buffer(data: Any) -> Buffer:
    return Buffer(
        kind=data["kind"],
        dtype=_dtype(data["dtype"]),
        shape=_shape(data["shape"]),
        offset=int(data["offset"]),
        ref=str(data["ref"]),
        index=int(data["index"]),
    )


def _step(data: Any) -> Step:
    if data["op"] == "copy":
        return Copy(int(data["source"]), int(data["destination"]))
    if data["op"] != "launch":
        raise ValueError(f"unknown step {data['op']!r}")
    return Launch(
        kernel=str(data["kernel"]),
        inputs=tuple(int(i) for i in data["inputs"]),
        outputs=tuple(int(i) for i in data["outputs"]),
        device=str(data["device"]),
        provenance=tuple(str(p) for p in data["provenance"]),
    )
