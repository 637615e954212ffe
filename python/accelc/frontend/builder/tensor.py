"""The trace being made, and the tensors that user code holds while it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import numpy as np

from accelc.core.diagnostics import InvalidModelError, UsageError
from accelc.core.store import Store
from accelc.dialects import nn
from accelc.dialects.nn.ops.constants import MAX_CONSTANT_ELEMENTS
from accelc.dialects.nn.types import dtype_of_array
from accelc.frontend.builder.dtypes import DType, dtype_name, promote, promote_scalar
from accelc.mlir import ir

build = nn.build
Array = np.ndarray[Any, Any]
P = ParamSpec("P")
R = TypeVar("R")

_HERE = os.path.dirname(os.path.abspath(__file__))


class Trace:
    """One run of a user's function: where ops go, and the constants met so far."""

    def __init__(self, insertion_point: Any, store: Store) -> None:
        self.insertion_point = insertion_point
        self.store = store
        self.depth = 0
        self.scopes: list[str] = []
        self.parameters: dict[int, tuple[Parameter, Any]] = {}

    @contextmanager
    def op(self) -> Iterator[None]:
        """Ops made inside stand at the user's line; only the outermost call of ours says which that is."""
        if self.depth:
            yield
            return
        self.depth += 1
        try:
            name = "/".join([*self.scopes, caller()])
            with self.insertion_point, ir.Location.name(name):
                yield
        finally:
            self.depth -= 1

    def parameter(self, given: Parameter) -> Any:
        """The value of a parameter: one ``nn.weight`` for each."""
        known = self.parameters.get(id(given))
        if known is None:
            name = given.name or f"param{len(self.parameters)}"
            if name in self.store:
                raise UsageError(f"two parameters are called '{name}'", node=caller())
            self.store.add(name, given.array)
            with self.insertion_point, ir.Location.name(name):
                value = build.weight(name, nn.TensorType(given.array.shape, dtype_of_array(given.array)))
            # The parameter is kept, so that its id stays its own while the trace lives.
            known = self.parameters[id(given)] = (given, value)
        return known[1]


_CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def caller() -> str:
    """``file.py:line`` of the innermost frame that is not of this package."""
    frame = sys._getframe(1)
    while frame is not None and (_is_ours(frame.f_code.co_filename)):
        frame = frame.f_back  # type: ignore[assignment]
    return "?" if frame is None else f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"


def _is_ours(filename: str) -> bool:
    # `contextlib` stands between our frames where a context manager is entered.
    return os.path.dirname(os.path.abspath(filename)) == _HERE or filename.endswith(("contextlib.py", "functools.py"))


def current() -> Trace:
    """The trace being made. Raises UsageError outside of one."""
    trace = _CURRENT.get()
    if trace is None:
        raise UsageError(
            "tensors exist only while a function is traced",
            node=caller(),
            notes=("call ab.trace(function, ab.Spec(...), ...), or decorate the function with @ab.model",),
        )
    return trace


@contextmanager
def tracing(trace: Trace) -> Iterator[None]:
    """Makes ``trace`` the current one."""
    token = _CURRENT.set(trace)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Puts ``name/`` before the locations of the ops made inside."""
    trace = current()
    trace.scopes.append(name)
    try:
        yield
    finally:
        trace.scopes.pop()


def traced(fn: Callable[P, R]) -> Callable[P, R]:
    """Decorates a public function: the ops it makes stand at its caller's line."""

    @wraps(fn)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with current().op():
            return fn(*args, **kwargs)

    return wrapper


class Size:
    """An unknown size of a tensor; it can be given to ``reshape`` and ``broadcast_to``."""

    def __init__(self, of: Tensor, axis: int) -> None:
        self.of = of
        self.axis = axis

    def __repr__(self) -> str:
        return "?"


class Tensor:
    """A value of the model while it is traced. Operators and methods follow numpy."""

    # numpy's operators give way to ours.
    __array_ufunc__ = None
    __array_priority__ = 1000

    def __init__(self, value: Any) -> None:
        self._value = value
        # MLIR frees a value with its module: it is not looked at once its trace is over.
        self._trace = _CURRENT.get()
        self._type = None if value is None else nn.tensor_type(value)

    @property
    def value(self) -> Any:
        """The MLIR value. Raises UsageError outside of the trace that made it."""
        if self._trace is not current():
            raise UsageError(
                f"a tensor of another trace ({self.type}) is used",
                node=caller(),
                notes=("a traced function takes tensors as its inputs; constants are arrays or ab.parameter(...)",),
            )
        return self._value

    @property
    def type(self) -> nn.TensorType:
        """Shape and element type, known outside of the trace too."""
        assert self._type is not None
        return self._type

    @property
    def shape(self) -> tuple[Any, ...]:
        """The sizes; an unknown one is an object that ``reshape`` takes."""
        return tuple(Size(self, i) if s is None else s for i, s in enumerate(self.type.shape))

    @property
    def dtype(self) -> DType:
        """The element type."""
        return DType(self.type.dtype)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.type.rank

    @property
    def T(self) -> Tensor:
        """All dimensions in reverse order."""
        return self.transpose()

    def __repr__(self) -> str:
        return f"Tensor({self.type})"

    def _no_value(self, what: str) -> NoReturn:
        raise UsageError(
            f"{what} needs the value of a traced tensor ({self.type}), which is known only when the model runs",
            node=caller(),
            notes=("the builder takes straight-line code: use ab.where(condition, a, b) to choose by value",),
        )

    def __bool__(self) -> bool:
        self._no_value("a condition (if, while, and, or, not)")

    def __float__(self) -> float:
        self._no_value("float()")

    def __int__(self) -> int:
        self._no_value("int()")

    def __index__(self) -> int:
        self._no_value("an index or a range")

    def __array__(self, *args: Any, **kwargs: Any) -> Array:
        self._no_value("a numpy function")

    def __contains__(self, item: Any) -> bool:
        self._no_value("'in'")

    def __len__(self) -> int:
        size = self.type.shape[0] if self.ndim else None
        if size is None:
            raise UsageError(f"{self.type} has no length that is known", node=caller())
        return size

    def __iter__(self) -> Iterator[Tensor]:
        return iter([self[i] for i in range(len(self))])

    __hash__ = object.__hash__

    if TYPE_CHECKING:
        # Given by `operators`, which stands above this module.
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __getitem__(self, key: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...

        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...


class Parameter(Tensor):
    """A constant of the model, usually trained; a tensor wherever one is traced."""

    def __init__(self, array: Array, name: str | None) -> None:
        super().__init__(None)
        self.array = array
        self.name = name

    @property
    def value(self) -> Any:
        """Its value in the current trace."""
        return current().parameter(self)

    @property
    def type(self) -> nn.TensorType:
        """Shape and element type, known outside of traces too."""
        return nn.TensorType(self.array.shape, dtype_of_array(self.array))


def parameter(array: Any, name: str | None = None, dtype: DType | str | None = None) -> Parameter:
    """A parameter that holds ``array``; it goes to the model's store under ``name`` (else ``param<i>``).

    float64 arrays become f32 unless ``dtype`` says otherwise.
    """
    return Parameter(_as_array(array, None if dtype is None else dtype_name(dtype)), name)


def _as_array(array: Any, dtype: str | None) -> Array:
    result = np.asarray(array)
    if dtype is not None:
        return result.astype(nn.numpy_dtype(dtype), copy=False)
    if result.dtype == np.float64:
        return result.astype(np.float32)
    try:
        dtype_of_array(result)
    except InvalidModelError:
        raise UsageError(f"an array of {result.dtype} cannot be part of a model", node=caller()) from None
    return result


def as_value(x: Any, dtype: str | None = None) -> Any:
    """The MLIR value of a tensor, array or Python number; numbers take ``dtype`` where it is given."""
    if isinstance(x, Tensor):
        return x.value
    if isinstance(x, bool | int | float):
        return build.constant(x, dtype or {bool: "i1", int: "si64", float: "f32"}[type(x)])
    if isinstance(x, Size):
        return build.dim(x.of.value, axis=x.axis)
    if not isinstance(x, np.ndarray | np.generic | list | tuple):
        raise UsageError(f"expected a tensor, an array or a number, got {type(x).__name__}", node=caller())
    if _holds_tensor(x):
        raise UsageError(
            f"expected a tensor, got a {type(x).__name__} of tensors",
            node=caller(),
            notes=("ab.stack and ab.concat make one tensor of several",),
        )
    array = _as_array(x, None)
    if array.size <= MAX_CONSTANT_ELEMENTS:
        return build.constant(array)
    trace = current()
    name = f"const{len(trace.store)}"
    trace.store.add(name, array)
    return build.weight(name, nn.TensorType(array.shape, dtype_of_array(array)))


def _holds_tensor(x: Any) -> bool:
    return isinstance(x, list | tuple) and any(isinstance(v, Tensor) or _holds_tensor(v) for v in x)


def cast_value(value: Any, dtype: str) -> Any:
    """The value in another element type; itself where that is its own."""
    return value if nn.tensor_type(value).dtype == dtype else build.cast(value, dtype=dtype)


def is_number(x: Any) -> bool:
    """Whether ``x`` is a weak Python number."""
    return isinstance(x, bool | int | float) and not isinstance(x, np.generic)


def unify(*operands: Any, at_least: str | None = None) -> list[Any]:
    """Operands as values of one promoted element type and one broadcast shape."""
    values = [None if is_number(x) else as_value(x) for x in operands]
    dtype: str | None = None
    for value in values:
        if value is not None:
            own = nn.tensor_type(value).dtype
            dtype = own if dtype is None else promote(dtype, own)
    for x in operands:
        if is_number(x):
            dtype = promote_scalar(dtype, x) if dtype else {bool: "i1", int: "si64", float: "f32"}[type(x)]
    assert dtype is not None
    if at_least == "float" and not nn.is_float(dtype):
        dtype = "f32"
    if at_least == "number" and dtype == "i1":
        dtype = "si64"
    made = [_number(x, dtype) if v is None else cast_value(v, dtype) for x, v in zip(operands, values, strict=True)]
    return build.broadcast_together(*made)


def _number(x: bool | int | float, dtype: str) -> Any:
    if nn.is_integer(dtype):
        bits = int(dtype[2:])
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.startswith("si") else (0, (1 << bits) - 1)
        if not low <= x <= high:
            raise UsageError(f"the number {x} does not fit a tensor of {dtype}", node=caller())
    return build.constant(x, dtype)


def normalize_axis(axis: int, rank: int) -> int:
    """``axis`` counted from the front. Raises UsageError where there is no such axis."""
    if not -rank <= axis < rank:
        raise UsageError(f"there is no axis {axis} in a tensor of rank {rank}", node=caller())
    return axis % rank


def normalize_axes(axis: int | Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """Axes as numpy takes them (None: all), increasing. Raises UsageError where one is missing or given twice."""
    if axis is None:
        return tuple(range(rank))
    given = [axis] if isinstance(axis, int) else list(axis)
    axes = sorted(normalize_axis(a, rank) for a in given)
    if len(set(axes)) != len(axes):
        raise UsageError(f"an axis is given twice in {given}", node=caller())
    return tuple(axes)
