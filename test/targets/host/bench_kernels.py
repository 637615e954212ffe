"""Kernels of the host beside onnxruntime's, one thread, in one run: ``python test/targets/host/bench_kernels.py``.

Times are the best of interleaved rounds, so that a busy machine meets both alike. Compile times are CPU time, all in.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import onnxruntime as ort
from contraction_kernels import GELU, contraction_kernel
from convolution_kernels import Conv
from onnx import TensorProto, helper, numpy_helper
from row_kernels import layer_norm_kernel, softmax_kernel

from accelc.core.plan import Buffer, Launch, Plan, TensorSpec
from accelc.mlir import ir
from accelc.targets.host.cpu import native
from accelc.targets.host.emit import compile_kernel
from accelc.targets.host.executor import HostExecutor
from accelc.targets.host.packing import pack_panels, winograd_filters
from accelc.targets.host.passes.host_pack_weights import _pack

Array = np.ndarray[Any, Any]
Run = Callable[[], Any]
RNG = np.random.default_rng(0)


def ours(text: str, arrays: list[Array], out: tuple[int, ...]) -> tuple[Run, float]:
    """A kernel whose constants are packed first; the compile time in seconds of CPU."""
    with ir.Context() as context, ir.Location.unknown():
        context.enable_multithreading(False)
        module = ir.Module.parse(text)
        packing = _pack(module.operation, native(), winograd=True)
        text = str(module)
    arrays = list(arrays)
    if packing is not None:
        p, at = packing.panels, packing.panels.argument
        if packing.winograd_shape:
            arrays[at] = winograd_filters(arrays[at], shape=list(packing.winograd_shape))
        arrays[at] = pack_panels(arrays[at], shape=list(p.shape), perm=list(p.perm), dim=p.dim, tile=p.tile)
    start = time.process_time()
    code = compile_kernel(text)
    seconds = time.process_time() - start
    buffers = [Buffer("constant", "f32", a.shape, ref=str(i)) for i, a in enumerate(arrays)]
    plan = Plan(
        (),
        (TensorSpec("y", "f32", out),),
        (*buffers, Buffer("output", "f32", out, index=0)),
        (Launch("k", tuple(range(len(arrays))), (len(arrays),)),),
        0,
    )
    executor = HostExecutor(plan, {"k": code}, {str(i): a for i, a in enumerate(arrays)})
    return lambda: executor.run([]), seconds


def theirs(
    op: str,
    inputs: list[Array],
    constants: list[Array],
    out: tuple[int, ...],
    attributes: dict[str, Any],
    after: str = "",
) -> Run:
    """One node (and perhaps another after it) in onnxruntime, with bound inputs and outputs."""
    names = [f"x{i}" for i in range(len(inputs) + len(constants))]
    nodes = [helper.make_node(op, names, ["t" if after else "y"], **attributes)]
    if after:
        nodes.append(helper.make_node(after, ["t"], ["y"]))
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, a.shape) for n, a in zip(names, inputs, strict=False)]
    weights = [numpy_helper.from_array(a, n) for n, a in zip(names[len(inputs) :], constants, strict=True)]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, out)
    graph = helper.make_graph(nodes, "g", values, [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, array in zip(names, inputs, strict=False):
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(np.zeros(out, np.float32)))
    return lambda: session.run_with_iobinding(binding)


def best(runs: list[Run], rounds: int = 30) -> list[float]:
    """The best seconds of each."""
    result = [np.inf] * len(runs)
    for run in runs:
        run()
    for _ in range(rounds):
        for i, run in enumerate(runs):
            start = time.perf_counter()
            run()
            result[i] = min(result[i], time.perf_counter() - start)
    return result


def random(*shape: int) -> Array:
    """Normal numbers."""
    return (RNG.standard_normal(shape) * 0.5).astype(np.float32)


def report(label: str, work: float, unit: str, mine: tuple[Run, float], other: Run) -> None:
    """One line of the table."""
    a, b = best([mine[0], other])
    print(
        f"{label:34s} {work / a / 1e9:6.0f} {work / b / 1e9:6.0f} {unit}  x{b / a:5.2f}  {mine[1] * 1e3:5.0f} ms",
        flush=True,
    )


def gemm(m: int, k: int, n: int, gelu: bool = False) -> None:
    """``x @ w``, with bias and gelu; onnxruntime computes them with Gemm and Gelu."""
    x, w, b = random(m, k), random(k, n), random(n)
    text = contraction_kernel("mk,kn->mn", {"m": m, "k": k, "n": n}, epilogue=GELU if gelu else "")
    text = text.replace(f"%b: tensor<{k}x{n}xf32>", f"%b: tensor<{k}x{n}xf32> {{accelc.constant}}", 1)
    if gelu:
        other = theirs("Gemm", [x], [w, b], (m, n), {}, "Gelu")
        mine = ours(text, [x, w, b], (m, n))
    else:
        other, mine = theirs("MatMul", [x], [w], (m, n), {}), ours(text, [x, w], (m, n))
    report(f"gemm {m}x{k}x{n}{' bias gelu' if gelu else ''}", 2 * m * k * n, "GF/s", mine, other)


def attention(spec: str, sizes: dict[str, int]) -> None:
    """One of attention's products, against a batched MatMul on operands that already lie as it likes."""
    a, b, out = spec.replace("->", ",").split(",")
    arrays = [random(*(sizes[i] for i in s)) for s in (a, b)]
    m, n, k, batch = 128, arrays[1].size // 12 // 128 if "d" in sizes else 128, 128 if "d" in sizes else 64, 12
    other = theirs("MatMul", [random(batch, m, k), random(batch, k, n)], [], (batch, m, n), {})
    mine = ours(contraction_kernel(spec, sizes), arrays, tuple(sizes[i] for i in out))
    report(f"attention {spec}", 2 * batch * m * n * k, "GF/s", mine, other)


def convolution(c: Conv) -> None:
    """With bias and relu, NHWC; onnxruntime's NCHW with both, in blocked layouts of its choice."""
    arrays = [random(*s) for s in c.shapes[:-1]]
    groups = c.channels if c.depthwise else 1
    x, w = (
        np.ascontiguousarray(arrays[0].transpose(0, 3, 1, 2)),
        random(c.filters, c.channels // groups, c.kernel, c.kernel),
    )
    attributes = {"pads": [c.pad] * 4, "strides": [c.stride] * 2, "group": groups}
    out = (1, c.filters, c.out, c.out)
    other = theirs("Conv", [x], [w, random(c.filters)], out, attributes, "Relu")
    kind = "depthwise" if c.depthwise else "conv"
    label = f"{kind} {c.kernel}x{c.kernel} s{c.stride} {c.channels}>{c.filters} at {c.out}"
    work = 2 * c.out**2 * c.filters * c.kernel**2 * (c.channels // groups)
    report(label, work, "GF/s", ours(c.text(constant=True), arrays, tuple(c.shapes[-1])), other)


def main() -> None:
    """Prints the table."""
    print(f"{'kernel':34s} {'ours':>6s} {'ort':>6s}        speed  compile")
    gemm(128, 768, 768)
    gemm(128, 768, 3072)
    gemm(128, 768, 3072, gelu=True)
    gemm(128, 3072, 768)
    gemm(1, 768, 50257)
    sizes = {"b": 1, "h": 12, "m": 128, "n": 128}
    attention("bmhk,bnhk->bhmn", {**sizes, "k": 64})
    attention("bhmn,bnhd->bmhd", {**sizes, "d": 64})
    for c in [
        Conv(3, 64, 224, 7, 2, 3),
        Conv(64, 64, 56, 3, 1, 1),
        Conv(128, 128, 28, 3, 1, 1),
        Conv(256, 256, 14, 3, 1, 1),
        Conv(512, 512, 7, 3, 1, 1),
        Conv(128, 128, 56, 3, 2, 1),
        Conv(64, 256, 56, 1),
        Conv(1024, 256, 14, 1),
        Conv(512, 2048, 7, 1),
        Conv(96, 96, 112, 3, 2, 1, depthwise=True),
        Conv(144, 144, 56, 3, 1, 1, depthwise=True),
        Conv(960, 960, 7, 3, 1, 1, depthwise=True),
    ]:
        convolution(c)
    for rows, columns in ((1536, 128), (1024, 1024)):
        x = random(rows, columns)
        other = theirs("Softmax", [x], [], x.shape, {})
        report(
            f"softmax {rows}x{columns}", 2 * x.nbytes, "GB/s", ours(softmax_kernel(rows, columns), [x], x.shape), other
        )
    x, g, b = random(128, 768), random(768), random(768)
    other = theirs("LayerNormalization", [x], [g, b], x.shape, {})
    report("layer norm 128x768", 2 * x.nbytes, "GB/s", ours(layer_norm_kernel(128, 768), [x, g, b], x.shape), other)


if __name__ == "__main__":
    main()
