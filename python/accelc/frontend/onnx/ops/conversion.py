"""Changes of element type."""

from __future__ import annotations

from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.tensors import NN_DTYPES, nn_dtype, type_name
from accelc.frontend.onnx.values import Value

_CODES = {name: code for code, name in NN_DTYPES.items()}
# `to` was a string until opset 5.
_NAMES = {type_name(code): code for code in NN_DTYPES}
_SATURATING = ("f8E4M3FN", "f8E5M2")


def convert(n: Node, x: Value, dtype: str) -> Value:
    """A cast as ONNX defines it: fp8 saturates unless the attribute says otherwise."""
    if dtype == "i1" or x.dtype == "i1":
        return n.b.cast(x, dtype)
    return n.b.cast(x, dtype, saturate=dtype in _SATURATING and n.flag("saturate", True))


@handler("Cast", limits="no strings, complex numbers, fp8 FNUZ, fp6 or 2-bit types")
def cast(n: Node) -> Value:
    """To the element type of an attribute."""
    to = n.attributes.get("to")
    code = _NAMES.get(to.upper(), 0) if isinstance(to, str) else n.integer("to")
    return convert(n, n.x(), nn_dtype(code, "the result of Cast"))


@handler("CastLike", limits="as Cast")
def cast_like(n: Node) -> Value:
    """To the element type of another tensor."""
    return convert(n, n.x(0), n.x(1).dtype)


@handler("BitCast", limits="as Cast")
def bit_cast(n: Node) -> Value:
    """The same bits as another element type."""
    x, dtype = n.x(), nn_dtype(n.integer("to"), "the result of BitCast")
    if "i1" not in (x.dtype, dtype):
        return n.b.op("bitcast", x, dtype=dtype)
    if {x.dtype, dtype} - {"i1", "ui8", "si8"}:
        raise n.invalid(f"needs element types of one width, got {x.dtype} and {dtype}")
    # A bool is a byte that is 0 or 1.
    return n.b.cast(x, dtype)
