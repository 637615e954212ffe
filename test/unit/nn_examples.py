"""One use of every op of nn at least: operand types and attributes."""

# A table reads best with one entry a line.
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from accelc.dialects.nn import TensorType

Example = tuple[str, list[TensorType], dict[str, Any]]

FLOAT_UNARY = [
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
    "silu",
    "floor",
    "ceil",
    "round",
    "isnan",
]


def t(dtype: str, *shape: int | None) -> TensorType:
    """A tensor type, written short."""
    return TensorType(shape, dtype)


_CONV = {"strides": (2, 1), "pads_low": (1, 0), "pads_high": (1, 2), "dilations": (1, 2)}

EXAMPLES: list[Example] = [
    ("constant", [], {"value": np.array([1.5, -2.0], np.float32)}),
    ("iota", [], {"axis": 1, "shape": (2, 3), "dtype": "si32"}),
    ("iota", [t("si64", 2)], {"axis": 0, "shape": (None, 3), "dtype": "f32"}),
    *[(name, [t("f32", 2, 3)], {}) for name in ("abs", "neg", "sign", "relu", *FLOAT_UNARY)],
    *[(name, [t("bf16", 2, 3)], {}) for name in ("exp", "relu", "tanh")],
    ("abs", [t("si8", 4)], {}),
    ("gelu", [t("f32", 5)], {"approximate": "none"}),
    ("gelu", [t("f16", 5)], {"approximate": "tanh"}),
    ("logical_not", [t("i1", 2)], {}),
    ("bitwise_not", [t("ui8", 2)], {}),
    ("isinf", [t("f32", 2)], {"positive": True, "negative": False}),
    *[
        (name, [t(d, 2, 3)] * 2, {})
        for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")
        for d in ("f32", "si32", "bf16", "ui8")
    ],
    ("mod", [t("si32", 4)] * 2, {"fmod": False}),
    ("mod", [t("f32", 4)] * 2, {"fmod": True}),
    *[(f"logical_{name}", [t("i1", 4)] * 2, {}) for name in ("and", "or", "xor")],
    *[(f"bitwise_{name}", [t("si16", 4)] * 2, {}) for name in ("and", "or", "xor")],
    *[(f"shift_{name}", [t("ui32", 4)] * 2, {}) for name in ("left", "right")],
    *[("compare", [t("f32", 4)] * 2, {"predicate": p}) for p in ("eq", "ne", "lt", "le", "gt", "ge")],
    ("select", [t("i1", 4), t("si64", 4), t("si64", 4)], {}),
    ("clamp", [t("f32", 4)], {"min": 0.0, "max": 6.0}),
    ("clamp", [t("si8", 4)], {"min": -1e9, "max": 2.5}),
    ("cast", [t("f32", 4)], {"dtype": "f8E4M3FN", "saturate": True}),
    ("cast", [t("f32", 4)], {"dtype": "si4", "saturate": True}),
    ("cast", [t("i1", 4)], {"dtype": "f16", "saturate": False}),
    ("bitcast", [t("f32", 4)], {"dtype": "ui32"}),
    ("quantize", [t("f32", 2, 4), t("f32", 4), t("si8", 4)], {"axis": 1}),
    ("quantize", [t("f32", 2, 4), t("f32", 2, 2), t("ui8", 2, 2)], {"axis": 1}),
    ("dequantize", [t("ui8", 2, 4), t("f32"), t("ui8")], {"axis": 0}),
    ("reshape", [t("f32", 2, 6)], {"shape": (3, None)}),
    ("dynamic_reshape", [t("f32", 2, 6), t("si64", 2)], {"shape": (None, None)}),
    ("transpose", [t("f32", 2, 3, 4)], {"perm": (2, 0, 1)}),
    ("broadcast", [t("f32", 3, 1)], {"dims": (1, 2), "shape": (2, 3, 4)}),
    ("broadcast", [t("f32", 3), t("si64", 2)], {"dims": (1,), "shape": (None, 3)}),
    ("concat", [t("f32", 2, 3), t("f32", 2, 1)], {"axis": 1}),
    ("slice", [t("f32", 5, 4)], {"starts": (4, 1), "sizes": (3, -1), "strides": (-2, 2)}),
    ("pad", [t("f32", 3, 4), t("f32")], {"low": (1, -1), "high": (0, 2)}),
    *[("pad_mode", [t("f32", 3, 4)], {"low": (2, 1), "high": (1, -1), "mode": m}) for m in ("reflect", "edge", "wrap")],
    ("shape_of", [t("f32", 2, 3)], {}),
    ("dim", [t("f32", 2, 3)], {"axis": 1}),
    ("assume_dim", [t("f32", None, 3)], {"shape": (2, 3)}),
    ("gather", [t("f32", 5, 4), t("si64", 2, 3)], {"axis": 0}),
    ("gather_elements", [t("f32", 5, 4), t("si32", 2, 4)], {"axis": 0}),
    ("gather_nd", [t("f32", 2, 5, 4), t("si64", 2, 3, 1)], {"batch_dims": 1}),
    ("scatter_elements", [t("f32", 5, 4), t("si64", 2, 4), t("f32", 2, 4)], {"axis": 0, "reduction": "add"}),
    ("scatter_nd", [t("f32", 5, 4), t("si64", 3, 1), t("f32", 3, 4)], {"reduction": "none"}),
    ("cumsum", [t("f32", 5, 4)], {"axis": 0, "exclusive": True, "reverse": False}),
    ("topk", [t("f32", 5, 4)], {"k": 2, "axis": 0, "largest": True}),
    ("argreduce", [t("f32", 5, 4)], {"axis": 1, "kind": "max", "last": False}),
    *[("reduce", [t("bf16", 2, 3, 4)], {"kind": k, "axes": (0, 2)}) for k in ("sum", "mean", "max", "min", "prod")],
    ("reduce", [t("i1", 2, 3)], {"kind": "max", "axes": (1,)}),
    ("contract", [t("f32", 2, 3, 4), t("f32", 2, 4, 5)], {"spec": "bmk,bkn->bmn", "dtype": "f32"}),
    ("contract", [t("bf16", 3, 4), t("bf16", 4, 5)], {"spec": "mk,kn->nm", "dtype": "f32"}),
    ("contract", [t("ui8", 3, 4), t("si8", 4, 5)], {"spec": "mk,kn->mn", "dtype": "si32"}),
    ("conv", [t("f32", 1, 4, 7, 9), t("f32", 6, 2, 3, 2)], {**_CONV, "groups": 2, "layout": "nchw", "dtype": "f32"}),
    ("conv", [t("bf16", 1, 7, 9, 4), t("bf16", 3, 2, 1, 4)], {**_CONV, "groups": 4, "layout": "nhwc", "dtype": "bf16"}),
    (
        "conv_transpose",
        [t("f32", 1, 4, 5, 6), t("f32", 4, 3, 3, 2)],
        {**_CONV, "groups": 2, "output_pads": (1, 0), "dtype": "f32"},
    ),
    *[
        (
            "pool",
            [t("f32", 1, 2, 7, 9)],
            {**_CONV, "kind": k, "kernel": (3, 2), "count_include_pad": False, "p": 2, "layout": "nchw"},
        )
        for k in ("max", "average", "lp")
    ],
    (
        "resize",
        [t("f32", 1, 2, 4, 5)],
        {
            "mode": "linear",
            "coordinate": "half_pixel",
            "nearest": "floor",
            "scales": (1.0, 1.0, 2.0, 1.5),
            "roi": (),
            "cubic_a": -0.75,
            "exclude_outside": False,
            "extrapolation": 0.0,
            "antialias": False,
            "shape": (1, 2, 8, 7),
        },
    ),
    ("lrn", [t("f32", 1, 5, 3)], {"size": 3, "alpha": 1e-4, "beta": 0.75, "bias": 1.0, "layout": "nchw"}),
    ("softmax", [t("f32", 2, 5)], {"axis": 1}),
    ("log_softmax", [t("f16", 2, 5)], {"axis": 0}),
    ("layer_norm", [t("f32", 2, 3, 4), t("f32", 3, 4), t("f32", 3, 4)], {"axis": 1, "epsilon": 1e-5}),
    ("rms_norm", [t("f32", 2, 3, 4), t("f32", 4)], {"axis": 2, "epsilon": 1e-5}),
    ("batch_norm", [t("f32", 2, 3, 4), *[t("f32", 3)] * 4], {"epsilon": 1e-5, "axis": 1}),
    ("group_norm", [t("f32", 2, 4, 3), t("f32", 4), t("f32", 4)], {"groups": 2, "epsilon": 1e-5}),
    ("attention", [t("f32", 2, 3, 4)] * 3, {"scale": 0.5, "causal": True}),
    ("attention", [t("f32", 2, 3, 4), t("f32", 2, 5, 4), t("f32", 2, 5, 6), t("i1", 1, 3, 5)], {"scale": 0.5, "causal": False}),
]  # fmt: skip
