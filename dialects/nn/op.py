"""The dialect and the base of its op classes.

An op class declares its fields by annotation and computes its result types in `infer`, which both the builder and the
verifier call. What a result type says beyond the operands (the shape of a reshape, the element type of a cast) is
listed in ``FROM_RESULT``: `infer` takes it as a keyword, `attrs` reads it off the result, and no attribute repeats it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from accelc.core.diagnostics import Error, InvalidModelError
from accelc.dialects.nn import fields
from accelc.dialects.nn.types import TensorType, shapes_agree, tensor_type
from accelc.dialects.runs import declare_values, segment_sizes
from accelc.mlir import dialect, ext, ir

_OPERANDS = {
    "Tensor": ext.Operand[Any],
    "Tensors": Sequence[ext.Operand[Any]],
    "OptionalTensor": Sequence[ext.Operand[Any]],
}
_RESULTS = {
    "Out": ext.Result[Any],
    "Outs": Sequence[ext.Result[Any]],
}
_ATTRIBUTES: dict[str, type[fields.AttributeKind]] = {
    kind.__name__: kind
    for kind in (fields.Int, fields.Ints, fields.Float, fields.Floats, fields.Flag, fields.Str, fields.Array)
}

# Op name without the dialect's prefix -> class, in order of definition.
REGISTRY: dict[str, type[NNOp]] = {}


class NN(ext.Dialect, name="nn"):  # type: ignore[call-arg]
    """The graph of a model: ops on ranked tensors with value semantics and no implicit broadcasting."""


class NNOp(NN.Operation):  # type: ignore[name-defined]
    """Base of nn's op classes.

    operand_names: one for each operand field. ``variadic`` is "", "*" (any number) or "?" (at most one) for the last.
    attribute_kinds: attribute name to kind. ``defaults``: values that `build` fills in.
    """

    FROM_RESULT = tuple[str, ...]()
    operand_names = tuple[str, ...]()
    variadic = ""
    num_results = 1
    # Replaced in each subclass, never changed; an annotation here would declare a field.
    attribute_kinds = dict[str, type[fields.AttributeKind]]()  # noqa: RUF012
    parameters = frozenset[str]()
    defaults = dict[str, Any]()  # noqa: RUF012

    @classmethod
    def __init_subclass__(cls, *, name: str | None = None, traits: list[Any] | None = None, **kwargs: Any) -> None:
        declared = {key: str(getattr(kind, "__name__", kind)) for key, kind in cls.__annotations__.items()}
        cls._declare(declared)
        cls.__annotations__ = {
            key: _OPERANDS.get(kind) or _RESULTS.get(kind) or _ATTRIBUTES.get(kind) or ext.Region
            for key, kind in declared.items()
        }
        # IRDL has no name for dense elements; the verifier checks them.
        for key, kind in declared.items():
            if kind == "Array":
                cls.__annotations__[key] = Any
        if name is not None:
            traits = [ext.Pure] if traits is None else traits
            REGISTRY[name] = cls
        super().__init_subclass__(name=name, traits=traits, **kwargs)

    @classmethod
    def _declare(cls, declared: Mapping[str, str]) -> None:
        names = [key for key, kind in declared.items() if kind in _OPERANDS]
        if names:
            cls.operand_names = tuple(names)
            cls.variadic = {"Tensors": "*", "OptionalTensor": "?"}.get(declared[names[-1]], "")
        results = [kind for kind in declared.values() if kind in _RESULTS]
        if results:
            cls.num_results = -1 if "Outs" in results else len(results)
        attributes = {key: _ATTRIBUTES[kind] for key, kind in declared.items() if kind in _ATTRIBUTES}
        cls.attribute_kinds = {**cls.attribute_kinds, **attributes}
        cls.parameters = frozenset([*cls.attribute_kinds, *cls.FROM_RESULT])
        signature = inspect.signature(cls.infer).parameters.values()
        cls.defaults = {p.name: p.default for p in signature if p.name in cls.parameters and p.default is not p.empty}

    @classmethod
    def _generate_operand_properties(cls, operands: list[Any]) -> None:
        # One variadic operand at most, and last: so it is read without segment sizes, unlike what the base class does.
        last = len(operands) - 1
        for i, operand in enumerate(operands):
            setattr(cls, operand.name, _operand_property(i, cls.variadic if i == last else ""))

    @classmethod
    def _generate_result_properties(cls, results: list[Any]) -> None:
        for i, result in enumerate(results):
            setattr(cls, result.name, _result_property(i, cls.num_results < 0))

    @classmethod
    def _generate_attr_properties(cls, attributes: list[Any]) -> None:
        for attribute in attributes:
            setattr(cls, attribute.name, _attribute_property(attribute.name, cls.attribute_kinds[attribute.name]))

    @classmethod
    def _emit_operation(cls) -> None:
        if cls.variadic != "*" and cls.num_results >= 0:
            super()._emit_operation()
            return
        irdl = dialect("irdl")
        lowering = ext.ConstraintLoweringContext()
        operands, attributes, results, regions = ext.partition_fields(cls._fields)
        names = [operand.name for operand in operands]
        with ir.InsertionPoint(irdl.operation_(cls._op_name).body):
            declare_values("operands", names[:-1] if cls.variadic == "*" else names, names[-1] if names else None)
            if attributes:
                irdl.attributes_([lowering.lower(a.constraint) for a in attributes], [a.name for a in attributes])
            outs = [result.name for result in results]
            declare_values("results", outs if cls.num_results >= 0 else [], outs[0] if cls.num_results < 0 else None)
            if regions:
                irdl.regions_([irdl.region([]) for _ in regions], [region.name for region in regions])

    @classmethod
    def segments(cls, operands: Sequence[Any], results: Sequence[Any]) -> dict[str, Any]:
        """The segment sizes that an op with variadic values of these MLIR types needs as attributes."""
        sizes = {}
        if cls.variadic == "*":
            singles = len(cls.operand_names) - 1
            sizes["operandSegmentSizes"] = segment_sizes(operands, f"nn.{cls._op_name}", singles=singles)
        if cls.num_results < 0:
            sizes["resultSegmentSizes"] = segment_sizes(results, f"nn.{cls._op_name}")
        return sizes

    @staticmethod
    def infer(*operands: Any, **attrs: Any) -> Any:
        """Result types (one, or a list) from operand types, attributes and ``FROM_RESULT``.

        Raises InvalidModelError where the operands do not fit each other or the attributes.
        """
        raise NotImplementedError

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Infers the result types again and compares: a ``?`` agrees with any size."""
        operation = op.operation
        try:
            _verify(operation, REGISTRY[operation.name[3:]])
        except Error as error:
            op.location.emit_error(f"'{operation.name}' {error.render()}")
            return False
        return True


def _operand_property(i: int, variadic: str) -> property:
    def one(self: Any) -> Any:
        return self.operation.operands[i]

    def many(self: Any) -> list[Any]:
        return list(self.operation.operands)[i:]

    def maybe(self: Any) -> Any:
        return next(iter(many(self)), None)

    return property({"": one, "*": many, "?": maybe}[variadic])


def _result_property(i: int, variadic: bool) -> property:
    def one(self: Any) -> Any:
        return self.operation.results[i]

    def many(self: Any) -> list[Any]:
        return list(self.operation.results)

    return property(many if variadic else one)


def _attribute_property(name: str, kind: type[fields.AttributeKind]) -> property:
    def value(self: Any) -> Any:
        return kind.decode(self.operation.attributes[name])

    return property(value)


def _verify(operation: Any, cls: type[NNOp]) -> None:
    types = [tensor_type(v.type) for v in operation.operands]
    declared = [tensor_type(v.type) for v in operation.results]
    check_arity(cls, len(types))
    for want, have in zip(call_infer(cls, types, _attrs(operation, cls, declared)), declared, strict=True):
        if want.dtype != have.dtype or not shapes_agree(want.shape, have.shape):
            given = ", ".join(map(str, types))
            raise InvalidModelError(f"gives {want}{f' on ({given})' if given else ''}, but is declared {have}")


def check_arity(cls: type[NNOp], count: int) -> None:
    """Raises InvalidModelError unless ``cls`` takes ``count`` operands."""
    names = cls.operand_names
    low = len(names) - (1 if cls.variadic else 0)
    if count < low or (count > len(names) and cls.variadic != "*"):
        raise InvalidModelError(f"takes ({', '.join(names)}{cls.variadic}), got {count} operands")


def call_infer(cls: type[NNOp], types: Sequence[TensorType], attrs: Mapping[str, Any]) -> list[TensorType]:
    """`NNOp.infer` with its result as a list."""
    result = cls.infer(*types, **attrs)
    return [result] if isinstance(result, TensorType) else list(result)


def _attrs(operation: Any, cls: type[NNOp], results: Sequence[TensorType]) -> dict[str, Any]:
    attributes = operation.attributes
    values: dict[str, Any] = {}
    for name, kind in cls.attribute_kinds.items():
        try:
            values[name] = kind.decode(attributes[name])
        except KeyError:
            raise InvalidModelError(f"needs the attribute '{name}': {kind.expects}") from None
        except TypeError as error:
            raise InvalidModelError(f"expects {kind.expects} as attribute '{name}', got {error}") from None
    for name in cls.FROM_RESULT:
        values[name] = getattr(results[0], name)
    return values


def op_class(name: str) -> type[NNOp]:
    """The class of the op called ``name`` (without ``nn.``). Raises InvalidModelError if there is none."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise InvalidModelError(f"nn has no op '{name}'") from None


def op_classes() -> Iterator[tuple[str, type[NNOp]]]:
    """Every op's name and class, in order of definition."""
    return iter(REGISTRY.items())


def attrs(op: Any) -> dict[str, Any]:
    """An op's attributes as Python values, with what its result type says (``shape``, ``dtype``).

    So ``build.make(name, operands, attrs(op))`` makes the same op again.
    """
    operation = op.operation
    results = [tensor_type(v.type) for v in operation.results]
    return _attrs(operation, op_class(operation.name.removeprefix("nn.")), results)


def normalize_attrs(cls: type[NNOp], given: Mapping[str, Any]) -> dict[str, Any]:
    """``given`` with defaults filled in and values in canonical form. Raises InvalidModelError naming a wrong one."""
    values = {**cls.defaults, **given} if cls.defaults else dict(given)
    if values.keys() != cls.parameters:
        missing = sorted(cls.parameters - values.keys())
        unknown = sorted(values.keys() - cls.parameters)
        problem = f"needs {', '.join(missing)}" if missing else f"has no attribute {', '.join(unknown)}"
        raise InvalidModelError(f"nn.{cls._op_name} {problem}")
    for name, kind in cls.attribute_kinds.items():
        try:
            values[name] = kind.normalize(values[name])
        except (TypeError, ValueError, OverflowError, AttributeError):
            raise InvalidModelError(
                f"nn.{cls._op_name} expects {kind.expects} as '{name}', got {values[name]!r}"
            ) from None
    return values


def infer(name: str, operand_types: Sequence[TensorType], attributes: Mapping[str, Any]) -> list[TensorType]:
    """Result types of the op called ``name``. Raises InvalidModelError where it cannot be."""
    cls = op_class(name)
    values = normalize_attrs(cls, attributes)
    try:
        check_arity(cls, len(operand_types))
        return call_infer(cls, operand_types, values)
    except InvalidModelError as error:
        raise InvalidModelError(f"nn.{name} {error.message}", notes=error.notes) from None


def register(context: Any) -> None:
    """Loads the dialect into ``context``."""
    # Importing `ops` defines the classes that loading registers.
    from accelc.dialects.nn import ops

    assert ops
    with context, ir.Location.unknown():
        NN.load()
