"""Handlers of ONNX ops, in files by group; importing this package registers them all."""

from __future__ import annotations

from accelc.frontend.onnx.ops import (
    activation,
    attention,
    constants,
    contraction,
    control,
    conversion,
    convolution,
    elementwise,
    indexing,
    norms,
    pooling,
    quantization,
    recurrent,
    reduction,
    resampling,
    sequences,
    shape,
    signal,
    training,
)
from accelc.frontend.onnx.registry import HANDLERS

# Group name -> module, as the table of supported ops shows them.
GROUPS = {
    "Elementwise": elementwise,
    "Activations": activation,
    "Element types": conversion,
    "Quantization": quantization,
    "Constants": constants,
    "Shape and movement": shape,
    "Indexing": indexing,
    "Reductions": reduction,
    "Contractions": contraction,
    "Convolutions": convolution,
    "Pooling": pooling,
    "Resampling": resampling,
    "Normalization": norms,
    "Attention": attention,
    "Recurrent": recurrent,
    "Signal": signal,
    "Training": training,
    "Control flow": control,
    "Sequences and optionals": sequences,
}

__all__ = ["GROUPS", "HANDLERS"]
