"""The `nn` dialect: a model's graph, after import and before kernels.

Everything other modules need is here: `build` makes ops, `infer` computes result types, `attrs` reads attributes as
Python values, `evaluate` computes an op on numpy arrays, `register` loads the dialect into a context.
"""

from __future__ import annotations

from accelc.dialects.nn import build as build
from accelc.dialects.nn import ops
from accelc.dialects.nn.op import NN, NNOp, attrs, infer, op_class, op_classes, register
from accelc.dialects.nn.reference import evaluate
from accelc.dialects.nn.types import DTYPES, TensorType, element_type, is_float, is_integer, numpy_dtype, tensor_type

__all__ = [
    "DTYPES",
    "NN",
    "NNOp",
    "TensorType",
    "attrs",
    "build",
    "element_type",
    "evaluate",
    "infer",
    "is_float",
    "is_integer",
    "numpy_dtype",
    "op_class",
    "op_classes",
    "ops",
    "register",
    "tensor_type",
]
