"""host-to-llvm: tiled kernels (memref, vector, scf, arith, math) become the `llvm` dialect behind the kernel ABI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from accelc.core.pass_ import Pass, PassContext, register_pass
from accelc.mlir import ir
from accelc.passes.kernel_module import ENTRY, VECTORIZED, entry, kernels, run_pipeline

_BODY = "body"

# The order matters: subviews fold into loads before metadata is expanded; bf16 arithmetic becomes f32 arithmetic and
# bit operations before math goes to LLVM; and libm is the last resort, for what LLVM has no instruction for.
_FLOATS = (
    "func.func(arith-emulate-unsupported-floats{source-types=bf16 target-type=f32},math-extend-to-supported-types"
    "{target-type=f32})"
)
_UNROLL = "func.func(convert-vector-to-scf{full-unroll=true})"
_TO_LLVM = (
    "convert-scf-to-cf",
    "convert-vector-to-llvm{enable-x86 reassociate-fp-reductions}",
    "convert-math-to-llvm",
    "convert-math-to-libm",
    "convert-func-to-llvm{use-bare-ptr-memref-call-conv=true}",
    "convert-to-llvm",
    "reconcile-unrealized-casts",
)
_LOOPS = (
    "fold-memref-alias-ops",
    "expand-strided-metadata",
    "lower-affine",
    _FLOATS,
    _UNROLL,
    "convert-linalg-to-loops",
    "arith-expand{include-bf16=true}",
    "canonicalize",
    "cse",
    *_TO_LLVM,
    "canonicalize",
    "cse",
)
# Kernels that were written as vectors hold nothing of the above but repeat what is invariant in loops: this takes a
# third of the time.
_VECTORS = (
    _FLOATS,
    _UNROLL,
    "arith-expand{include-bf16=true}",
    "cse",
    "loop-invariant-code-motion",
    *_TO_LLVM,
    "cse",
)


@register_pass
@dataclass(frozen=True)
class HostToLLVM(Pass):
    """Lowers tiled kernels to `llvm`: ``@entry(args: ptr, begin: i64, end: i64)`` unpacks pointers and calls the body.

    The pointers do not alias each other: main plans memory so that a kernel's buffers are disjoint.
    """

    name: ClassVar[str] = "host-to-llvm"
    summary: ClassVar[str] = "lower tiled kernels to the llvm dialect behind the host's kernel ABI"

    def run(self, module: Any, context: PassContext) -> None:
        """Rewrites every kernel of ``module``."""
        with module.operation.context, ir.Location.unknown():
            for kernel in kernels(module):
                _lower(kernel)


def _lower(kernel: Any) -> None:
    function = entry(kernel)
    types = [a.type for a in function.regions[0].blocks[0].arguments]
    function.attributes["sym_name"] = ir.StringAttr.get(_BODY)
    function.attributes["sym_visibility"] = ir.StringAttr.get("private")
    unaliased = ir.DictAttr.get({"llvm.noalias": ir.UnitAttr.get()})
    plain = ir.DictAttr.get({})
    function.attributes["arg_attrs"] = ir.ArrayAttr.get(
        [unaliased if isinstance(t, ir.MemRefType) else plain for t in types]
    )
    run_pipeline(kernel, ",".join(_VECTORS if VECTORIZED in kernel.attributes else _LOOPS))
    for op in kernel.regions[0].blocks[0].operations:
        attributes = op.operation.attributes
        if op.operation.name == "llvm.func" and ir.StringAttr(attributes["sym_name"]).value == _BODY:
            attributes["linkage"] = ir.Attribute.parse("#llvm.linkage<internal>")
            attributes["passthrough"] = ir.Attribute.parse(
                '["noinline", ["prefer-vector-width", "512"], ["min-legal-vector-width", "512"]]'
            )
    _append_entry(kernel, len(types) - 2)


def _append_entry(kernel: Any, pointers: int) -> None:
    """Adds ``@entry``, which loads ``pointers`` pointers and passes them on to the body."""
    lines = []
    for i in range(pointers):
        lines.append(f"%a{i} = llvm.getelementptr %args[{i}] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr")
        lines.append(f"%p{i} = llvm.load %a{i} : !llvm.ptr -> !llvm.ptr")
    values = ", ".join([*(f"%p{i}" for i in range(pointers)), "%begin", "%end"])
    types = ", ".join(["!llvm.ptr"] * pointers + ["i64", "i64"])
    text = f"""
    llvm.func @{_BODY}({types})
    llvm.func @{ENTRY}(%args: !llvm.ptr, %begin: i64, %end: i64) {{
      {chr(10).join(lines)}
      llvm.call @{_BODY}({values}) : ({types}) -> ()
      llvm.return
    }}"""
    wrapper = ir.Module.parse(text)
    wrapper.body.operations[1].operation.clone(ip=ir.InsertionPoint(kernel.regions[0].blocks[0]))
