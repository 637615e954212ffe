"""Machine descriptions: one vocabulary for GPUs and simulated accelerators, read from TOML.

A description has what every machine has (`clock`, `[[levels]]`, `[[engines]]`, `[host]`) and one section that
is its backend's own (`[gpu]`, `[sim_accel]`). A backend says what its section holds with a `Schema` class, and
where its descriptions ship with a `MachineFamily`::

    class GpuSection(Schema):
        sms: PositiveInt
        launch_overhead: Time

    GPUS = MachineFamily("gpu", GpuSection, Path(__file__).parent / "machines")
    machine = GPUS.load("h200")            # or the path of a TOML file
    machine.section.sms, machine.level("hbm").bandwidth

Values in a `Machine` are floats in base units: bytes, bytes/s, Hz, s, J, operations/s (a MAC is two).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from accelc.core import units
from accelc.core.diagnostics import MachineError
from accelc.core.toml_lines import line_of

SCHEMA_VERSION = 1

# Number formats, named as in MLIR (`tf32` is MLIR's too; it is a way to multiply f32).
FORMATS = ("f64", "f32", "tf32", "f16", "bf16", "f8E4M3FN", "f8E5M2", "f4E2M1FN", "i32", "i16", "i8", "i4")
_FORMAT_ALIASES = {
    "fp64": "f64",
    "fp32": "f32",
    "fp16": "f16",
    "fp8": "f8E4M3FN",
    "e4m3": "f8E4M3FN",
    "e5m2": "f8E5M2",
    "fp4": "f4E2M1FN",
    "int8": "i8",
    "int4": "i4",
    "int32": "i32",
    "si8": "i8",
}


def _quantity(dimension: units.Dimension) -> BeforeValidator:
    def parse(value: Any, info: ValidationInfo) -> float:
        context = info.context or {}
        # Numbers without a unit are what `Machine.to_json` writes; a TOML file must say its units.
        if context.get("resolved") and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        return units.parse_quantity(value, dimension, context.get("clock"))

    return BeforeValidator(parse)


Bytes = Annotated[float, _quantity(units.BYTES), Field(gt=0)]
Bandwidth = Annotated[float, _quantity(units.BANDWIDTH), Field(gt=0)]
Frequency = Annotated[float, _quantity(units.FREQUENCY), Field(gt=0)]
Time = Annotated[float, _quantity(units.TIME), Field(ge=0)]
Rate = Annotated[float, _quantity(units.RATE), Field(gt=0)]
Power = Annotated[float, _quantity(units.POWER), Field(ge=0)]
Energy = Annotated[float, _quantity(units.ENERGY), Field(ge=0)]
EnergyPerByte = Annotated[float, _quantity(units.ENERGY_PER_BYTE), Field(ge=0)]
EnergyPerOp = Annotated[float, _quantity(units.ENERGY_PER_OP), Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
PositiveInt = Annotated[int, Field(gt=0, strict=True)]


def _format(value: Any) -> Any:
    if value not in FORMATS:
        close = difflib.get_close_matches(str(value), FORMATS, 1)
        near = _FORMAT_ALIASES.get(str(value).lower()) or (close[0] if close else None)
        hint = f"; did you mean '{near}'?" if near else f"; formats: {', '.join(FORMATS)}"
        raise ValueError(f"'{value}' is not a number format{hint}")
    return value


Format = Annotated[str, BeforeValidator(_format)]


class Schema(BaseModel):
    """A table of a description: immutable, every key known, defaults checked too."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in known:
                    near = difflib.get_close_matches(str(key), known, 1)
                    hint = f"; did you mean '{near[0]}'?" if near else f"; known keys: {', '.join(known)}"
                    raise PydanticCustomError("unknown_key", "unknown key{hint}", {"key": str(key), "hint": hint})
        return data


class Level(Schema):
    """One level of memory; figures are those of one instance.

    capacity: bytes. bandwidth: bytes/s, read and write together. latency: s, of a first access.
    scope: ``device`` (one instance) or ``core`` (one for each core: SM, NPU core).
    kind: ``explicit`` (software places data) or ``cache``.
    achievable: the fraction of ``bandwidth`` that a long stream sees.
    energy: J per byte moved in or out, where it is known.
    """

    name: str
    capacity: Bytes
    bandwidth: Bandwidth
    latency: Time
    scope: Literal["device", "core"]
    kind: Literal["explicit", "cache"]
    achievable: Fraction = 1.0
    energy: EnergyPerByte | None = None


class Engine(Schema):
    """What computes; figures are those of the whole device.

    kind: ``matrix``, ``vector``, or ``special`` (exp, tanh, ...; one operation is one result).
    rates: operations/s by number format of the operands (a MAC is two).
    achievable: the fraction of a rate that a long, well-tiled kernel sustains.
    energy: J per operation by number format, where it is known.
    """

    name: str
    kind: Literal["matrix", "vector", "special"]
    rates: dict[Format, Rate] = Field(min_length=1)
    achievable: Fraction = 1.0
    energy: dict[Format, EnergyPerOp] = Field(default_factory=dict)

    def rate(self, number_format: str) -> float | None:
        """Operations/s in ``number_format``, or None where this engine cannot do it."""
        return self.rates.get(number_format)


class Host(Schema):
    """The computer the device is attached to: prices what is placed on the host.

    link_bandwidth: bytes/s, one way. link_latency: s a transfer. rate: operations/s in f32. memory_bandwidth:
    bytes/s of the host's own memory. link_energy: J per byte over the link.
    """

    link_bandwidth: Bandwidth
    link_latency: Time
    rate: Rate
    memory_bandwidth: Bandwidth
    link_energy: EnergyPerByte | None = None


class Machine(Schema):
    """A machine: what all have in common, and ``section``, its backend's own.

    levels: from the outermost (DRAM) to the innermost. engines: at least one. static_power: W drawn however
    little is done; max_power: W that it never exceeds; both for energy, where they are known.
    """

    schema_version: Literal[1] = Field(alias="schema")
    backend: str = ""
    name: str = Field(min_length=1)
    vendor: str | None = None
    summary: str = ""
    clock: Frequency
    static_power: Power | None = None
    max_power: Power | None = None
    levels: tuple[Level, ...]
    engines: tuple[Engine, ...]
    host: Host
    section: Any = None

    @model_validator(mode="after")
    def _consistent(self) -> Machine:
        for field in ("levels", "engines"):
            names = [item.name for item in getattr(self, field)]
            if not names:
                raise PydanticCustomError("empty", "at least one [[{key}]] is needed", {"key": field})
            for name in names:
                if names.count(name) > 1:
                    raise PydanticCustomError("twice", "two entries are named '{name}'", {"name": name, "key": field})
        if self.levels[0].scope != "device" or self.levels[0].kind != "explicit":
            raise PydanticCustomError(
                "dram", "the first level is the device's memory: scope 'device', kind 'explicit'", {"key": "levels"}
            )
        return self

    @property
    def cores(self) -> int:
        """How many cores (SMs) share the device-scope levels."""
        return int(getattr(self.section, "cores", 1))

    @property
    def memory(self) -> Level:
        """The outermost level: the device's DRAM."""
        return self.levels[0]

    def level(self, name: str) -> Level:
        """The level called ``name``. Raises MachineError if there is none."""
        return cast(Level, _named(self.levels, name, f"machine '{self.name}' has no level"))

    def engine(self, name: str) -> Engine:
        """The engine called ``name``. Raises MachineError if there is none."""
        return cast(Engine, _named(self.engines, name, f"machine '{self.name}' has no engine"))

    def engines_of(self, kind: str) -> tuple[Engine, ...]:
        """The engines of one kind (``matrix``, ``vector``, ``special``)."""
        return tuple(e for e in self.engines if e.kind == kind)

    def best_rate(self, kind: str, number_format: str) -> float:
        """The highest rate of any engine of ``kind`` in ``number_format``, in operations/s; 0 where none can."""
        return max((e.rates.get(number_format, 0.0) for e in self.engines_of(kind)), default=0.0)

    def cycles(self, seconds: float) -> float:
        """Seconds as cycles of this machine's clock."""
        return seconds * self.clock

    def to_json(self) -> dict[str, Any]:
        """The resolved description in base units; `MachineFamily.from_json` reads it back to an equal machine."""
        data = self.model_dump(mode="json", by_alias=True, exclude={"section"})
        data[self.backend] = self.section.model_dump(mode="json", by_alias=True)
        return data

    def digest(self) -> str:
        """A hash of the resolved description, for cache keys."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()


def _named(items: Iterable[Any], name: str, message: str) -> Any:
    for item in items:
        if item.name == name:
            return item
    raise MachineError(f"{message} '{name}'", notes=(f"it has: {', '.join(i.name for i in items)}",))


S = TypeVar("S", bound=Schema)


@dataclass(frozen=True)
class MachineFamily(Generic[S]):
    """The machines of one backend: its section's schema, and the folder of the descriptions that ship."""

    backend: str
    section: type[S]
    folder: Path

    def names(self) -> dict[str, str]:
        """The machines that ship: name -> summary, sorted."""
        return {path.stem: self.load(path.stem).summary for path in sorted(self.folder.glob("*.toml"))}

    def load(self, name_or_path: str | Path) -> Machine:
        """The machine that ships under a name, or the one that a TOML file describes.

        Raises:
            MachineError: no such machine, or an error in the file, with file, line and field.
        """
        text = str(name_or_path)
        if text.endswith(".toml") or "/" in text or isinstance(name_or_path, Path):
            path = Path(text)
        else:
            path = self.folder / f"{text}.toml"
            if not path.is_file():
                shipped = sorted(p.stem for p in self.folder.glob("*.toml"))
                near = difflib.get_close_matches(text, shipped, 1)
                raise MachineError(
                    f"{self.backend} has no machine '{text}'" + (f"; did you mean '{near[0]}'?" if near else ""),
                    notes=(f"machines: {', '.join(shipped)}, or the path of a .toml file",),
                )
        try:
            source = path.read_bytes().decode()
        except OSError as error:
            raise MachineError(f"machine file '{path}' cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise MachineError(f"{path}: not a text file in UTF-8") from None
        return self.parse(source, str(path))

    def parse(self, source: str, filename: str = "<string>") -> Machine:
        """The machine that a TOML text describes; ``filename`` is for messages."""
        try:
            data = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            raise MachineError(f"{filename}: not valid TOML: {error}") from None
        if data.get("schema") != SCHEMA_VERSION:
            found = f"schema {data['schema']!r}" if "schema" in data else "no 'schema' key"
            raise MachineError(f"{_at(filename, source, ('schema',))}: has {found}; write: schema = {SCHEMA_VERSION}")
        try:
            return self._build(data, {"clock": _clock(data.get("clock"))})
        except _InvalidError as error:
            messages = [_explain(detail, filename, source) for detail in error.details]
            raise MachineError(messages[0], notes=tuple(messages[1:])) from None

    def from_json(self, data: Mapping[str, Any]) -> Machine:
        """The machine that `Machine.to_json` wrote. Raises MachineError if it is not one."""
        try:
            return self._build({k: v for k, v in data.items() if k != "backend"}, {"clock": None, "resolved": True})
        except _InvalidError as error:
            detail = error.details[0]
            raise MachineError(f"resolved machine: {_field_name(detail)}: {_text(detail)}") from None

    def _build(self, data: dict[str, Any], context: dict[str, Any]) -> Machine:
        # Both parts are always checked, so that a message lists every error of a file.
        details: list[Any] = [
            {"loc": (key,), "type": "unknown_key", "msg": "unknown key", "ctx": {"key": key}, "input": data[key]}
            for key in ("section", "backend")
            if key in data
        ]
        section: S | None = None
        machine: Machine | None = None
        try:
            section = self.section.model_validate(data.get(self.backend, {}), context=context)
        except ValidationError as error:
            details += [{**detail, "loc": (self.backend, *detail["loc"])} for detail in error.errors()]
        common = {key: value for key, value in data.items() if key != self.backend}
        try:
            machine = Machine.model_validate({**common, "backend": self.backend, "section": section}, context=context)
        except ValidationError as error:
            details += error.errors()
        if details:
            # What is given per cycle is wrong only for the sake of a clock that is wrong.
            if any(tuple(detail["loc"])[:1] == ("clock",) for detail in details):
                details = [detail for detail in details if "no valid clock" not in detail["msg"]]
            raise _InvalidError(details)
        assert machine is not None
        return machine


class _InvalidError(Exception):
    """Pydantic's error details of a whole description."""

    def __init__(self, details: list[Any]) -> None:
        super().__init__(f"{len(details)} errors")
        self.details = details


def _clock(value: Any) -> float | None:
    """The clock in Hz, where it is valid: values per cycle are resolved with it."""
    try:
        clock = units.parse_quantity(value, units.FREQUENCY)
    except ValueError:
        return None
    return clock if clock > 0 else None


def _loc(detail: Any) -> tuple[str | int, ...]:
    loc = tuple(part for part in detail["loc"] if part != "[key]")
    key = detail.get("ctx", {}).get("key")
    return (*loc, key) if key is not None and (not loc or loc[-1] != key) else loc


def _field_name(detail: Any) -> str:
    text = ""
    for part in _loc(detail):
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _text(detail: Any) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "missing":
        return "this key is missing"
    if detail["type"] in ("greater_than", "greater_than_equal", "less_than_equal", "literal_error"):
        return f"{detail['input']!r} is impossible: {message[0].lower()}{message[1:]}"
    return message


def _at(filename: str, source: str, path: tuple[str | int, ...]) -> str:
    line = line_of(source, path)
    return f"{filename}:{line}" if line else filename


def _explain(detail: Any, filename: str, source: str) -> str:
    return f"{_at(filename, source, _loc(detail))}: {_field_name(detail)}: {_text(detail)}"
