"""`attention`, and the region op `fusion` that groups what becomes one kernel."""

from __future__ import annotations

from typing import Any

from accelc.dialects.nn.fields import Body, Flag, Float, OptionalTensor, Out, Outs, Tensor, Tensors
from accelc.dialects.nn.op import NNOp
from accelc.dialects.nn.ops.checks import fail, merge_dim, need_float, need_same_dtype
from accelc.dialects.nn.types import TensorType, dims_agree
from accelc.mlir import ext, ir


class Attention(NNOp, name="attention"):
    """``softmax(scale * q k^T + mask) v`` over the last two dimensions; the leading ones (batch, heads) are equal.

    q: ``[..., L, D]``, k: ``[..., S, D]``, v: ``[..., S, E]``, result ``[..., L, E]``; one float type. mask (optional):
    q's rank, ``[..., L, S]`` where each size may be 1 and then stands for all; of q's type (added to the scores) or i1
    (false hides the key). ``causal`` hides key j from query i where j > i. Scores, softmax and sums are f32 (f64 for
    f64). A query that sees no key gives NaN. ONNX: Attention (opset 23).
    """

    q: Tensor
    k: Tensor
    v: Tensor
    mask: OptionalTensor
    result: Out
    scale: Float
    causal: Flag

    @staticmethod
    def infer(
        q: TensorType, k: TensorType, v: TensorType, *mask: TensorType, scale: float, causal: bool = False
    ) -> TensorType:
        """Result types."""
        need_float(q)
        need_same_dtype(q, k, v)
        if q.rank < 2 or k.rank != q.rank or v.rank != q.rank:
            fail(f"needs q, k and v of one rank, at least 2, got ({q}, {k}, {v})")
        leading = [
            merge_dim(merge_dim(a, b, "leading dimensions of q and k"), c, "leading dimensions of q and v")
            for a, b, c in zip(q.shape[:-2], k.shape[:-2], v.shape[:-2], strict=True)
        ]
        merge_dim(q.shape[-1], k.shape[-1], "head sizes of q and k")
        keys = merge_dim(k.shape[-2], v.shape[-2], "lengths of k and v")
        for m in mask:
            scores = (*leading, q.shape[-2], keys)
            fits = m.rank == q.rank and all(
                have == 1 or dims_agree(have, want) for have, want in zip(m.shape, scores, strict=True)
            )
            if not fits or m.dtype not in (q.dtype, "i1"):
                fail(f"needs a mask like {TensorType(scores, q.dtype)} (or i1; sizes may be 1), got {m}")
        return TensorType((*leading, q.shape[-2], v.shape[-1]), q.dtype)


class Fusion(NNOp, name="fusion", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """Ops that become one kernel: a region of one block whose arguments are ``ins`` and which ends in ``nn.yield``.

    The results are what is yielded. Isolated from above. Made by the pass ``nn-fuse``; below nn it is a kernel module.
    """

    ins: Tensors
    outs: Outs
    body: Body

    @staticmethod
    def infer(*ins: TensorType) -> list[TensorType]:
        """Cannot be told from the operands."""
        fail("has the results that its body yields")

    @staticmethod
    def verify_invariants(op: Any) -> bool:
        """Checks block arguments against operands, and what is yielded against the results."""
        error = _fusion_error(op.operation)
        if error is not None:
            op.location.emit_error(f"'nn.fusion' {error}")
        return error is None


def _fusion_error(operation: Any) -> str | None:
    blocks = list(operation.regions[0].blocks)
    if len(blocks) != 1 or not len(blocks[0].operations):
        return "needs a region of one block that ends in nn.yield"
    arguments = [a.type for a in blocks[0].arguments]
    if arguments != [v.type for v in operation.operands]:
        return f"has block arguments ({_list(arguments)}) for operands ({_list(v.type for v in operation.operands)})"
    last = blocks[0].operations[len(blocks[0].operations) - 1].operation
    if last.name != "nn.yield":
        return f"must end in nn.yield, ends in {last.name}"
    yielded = [v.type for v in last.operands]
    if yielded != [v.type for v in operation.results]:
        return f"yields ({_list(yielded)}), but is declared ({_list(v.type for v in operation.results)})"
    return None


def _list(types: Any) -> str:
    return ", ".join(str(t) for t in types)


class Yield(NNOp, name="yield", traits=[ext.Pure, ir.IsTerminatorTrait]):
    """Ends the region of a `fusion`: its operands are the fusion's results."""

    values: Tensors

    num_results = 0

    @staticmethod
    def infer(*values: TensorType) -> list[TensorType]:
        """No results."""
        return []
