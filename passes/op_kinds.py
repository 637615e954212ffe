"""What kind of work each `nn` op is: what fusion, layout and legality need to know of it."""

from __future__ import annotations

CONSTANTS = frozenset({"constant", "weight"})

ELEMENTWISE = frozenset(
    [
        "abs",
        "neg",
        "sign",
        "exp",
        "log",
        "sqrt",
        "rsqrt",
        "reciprocal",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "asinh",
        "acosh",
        "atanh",
        "tanh",
        "erf",
        "sigmoid",
        "relu",
        "floor",
        "ceil",
        "round",
        "logical_not",
        "bitwise_not",
        "isnan",
        "isinf",
        "gelu",
        "silu",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "pow",
        "maximum",
        "minimum",
        "logical_and",
        "logical_or",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "shift_left",
        "shift_right",
        "compare",
        "select",
        "clamp",
        "cast",
        "bitcast",
        "quantize",
        "dequantize",
        "batch_norm",
    ]
)

# Elementwise ops whose operands all have the result's shape (the others have parameters along an axis).
SAME_SHAPE = ELEMENTWISE - {"quantize", "dequantize", "batch_norm"}

CONTRACTIONS = frozenset({"contract", "conv", "conv_transpose"})

ROWWISE = frozenset({"softmax", "log_softmax", "layer_norm", "rms_norm", "group_norm", "reduce"})

WINDOWS = frozenset({"pool", "lrn"})

# The same bytes under another shape.
VIEWS = frozenset({"reshape", "assume_dim"})

MOVEMENT = frozenset({"transpose", "concat", "slice", "pad", "pad_mode", "gather", "gather_elements", "gather_nd"})
