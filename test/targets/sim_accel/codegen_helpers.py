"""What the code generator's tests share: one kernel from `nn` ops, compiled, simulated with the hazard checker on.

The expected values come from numpy: the reference semantics of `nn` (`nn.evaluate`), op by op, rounded by ml_dtypes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

from accelc.core.context import make_context
from accelc.core.pass_ import PassContext
from accelc.core.pipeline import Pipeline
from accelc.core.plan import Plan
from accelc.core.store import Store
from accelc.core.target import CompileOptions, KernelCode
from accelc.dialects import interpreter, nn, plan
from accelc.mlir import dialect, ir
from accelc.passes.graph import kernel_entry, kernels_of
from accelc.passes.kernel_texts import KernelText, kernel_texts
from accelc.passes.nn_outline import NnOutline
from accelc.passes.nn_to_linalg import NnToLinalg
from accelc.passes.plan_memory import PlanMemory
from accelc.targets.sim_accel.config import SimConfig
from accelc.targets.sim_accel.emit import emit
from accelc.targets.sim_accel.executor import SimExecutor
from accelc.targets.sim_accel.machine import MACHINES, sim_config
from accelc.targets.sim_accel.target import kernel_pipeline

func = dialect("func")
build = nn.build

Array = np.ndarray[Any, Any]
Spec = tuple[Sequence[int], str]
Body = Callable[..., list[Any]]

DTYPES = {
    "f32": np.float32, "bf16": ml_dtypes.bfloat16, "f16": np.float16, "si64": np.int64, "si32": np.int32,
    "si8": np.int8, "ui8": np.uint8, "i1": np.bool_,
}  # fmt: skip
OPTIONS = CompileOptions("bf16")


@functools.cache
def context() -> Any:
    """One context for all tests of a process: making one takes longer than compiling a kernel."""
    return make_context()


def random_arrays(specs: Sequence[Spec], seed: int = 0) -> list[Array]:
    """Normal floats, small non-negative integers, random booleans."""
    rng = np.random.default_rng(seed)
    arrays: list[Array] = []
    for shape, dtype in specs:
        if dtype == "i1":
            arrays.append(rng.integers(0, 2, shape).astype(np.bool_))
        elif dtype.startswith(("si", "ui")):
            arrays.append(rng.integers(0, 5, shape).astype(DTYPES[dtype]))
        else:
            arrays.append(rng.standard_normal(shape).astype(DTYPES[dtype]))
    return arrays


def nn_module(specs: Sequence[Spec], body: Body, *, fused: bool) -> Any:
    """``@main`` with the ops of ``body``; ``fused``: in one fusion, so that they become one kernel."""
    module = ir.Module.create()
    types = [nn.TensorType(tuple(shape), dtype).to_mlir() for shape, dtype in specs]
    with ir.InsertionPoint(module.body):
        main = func.FuncOp("main", (types, []))
        block = main.add_entry_block()
    arguments = list(block.arguments)
    with ir.InsertionPoint(block):
        outs = list(build.fusion(arguments, body) if fused else body(*arguments))
        func.ReturnOp(outs)
    main.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(types, [o.type for o in outs]))
    names = [ir.DictAttr.get({"nn.name": ir.StringAttr.get(f"x{i}")}) for i in range(len(types))]
    main.arg_attrs = names
    outputs = [ir.DictAttr.get({"nn.name": ir.StringAttr.get(f"y{i}")}) for i in range(len(outs))]
    main.attributes["res_attrs"] = ir.ArrayAttr.get(outputs)
    return module


def reference(specs: Sequence[Spec], body: Body, arrays: Sequence[Array]) -> list[Array]:
    """What the ops compute, by the interpreter on `nn`."""
    with context(), ir.Location.unknown():
        module = nn_module(specs, body, fused=False)
        named = {f"x{i}": a for i, a in enumerate(arrays)}
        return list(interpreter.run(module, named, Store()).values())


@dataclass
class Compiled:
    """A kernel compiled for a machine, and the plan around it. ``tiled``: its text at the `tiled` stage."""

    plan: Plan
    code: dict[str, KernelCode]
    machine: Any
    tiled: str = ""

    @property
    def program(self) -> bytes:
        """The only kernel's program."""
        ((_, code),) = self.code.items()
        return code.data

    def config(self, **changes: Any) -> SimConfig:
        """The machine for the simulator, with fields changed."""
        return replace(sim_config(self.machine), **changes)

    def run(
        self, arrays: Sequence[Array], config: SimConfig | None = None, **options: Any
    ) -> tuple[list[Array], dict[str, Any]]:
        """Outputs and figures; hazards are checked."""
        executor = SimExecutor(
            self.plan, self.code, {}, config or self.config(), self.machine.host.model_dump(),
            options={"hazards": True, **options},
        )  # fmt: skip
        return executor.run(arrays), executor.last_run


def machine_named(name: str, **levels: float) -> Any:
    """A machine that ships, its scratchpad resized by ``scratchpad`` bytes if given."""
    machine = MACHINES.load(name)
    if not levels:
        return machine
    changed = tuple(
        level.model_copy(update={"capacity": levels[level.name]}) if level.name in levels else level
        for level in machine.levels
    )
    return machine.model_copy(update={"levels": changed, "name": f"{name}-changed"})


def outline(specs: Sequence[Spec], body: Body) -> tuple[Plan, list[KernelText]]:
    """The plan and the kernels (as text) of one fusion."""
    with context(), ir.Location.unknown():
        module = nn_module(specs, body, fused=True)
        Pipeline((NnOutline(), NnToLinalg(), PlanMemory())).run(module, PassContext(store=Store()))
        return plan.export(module.operation), kernel_texts(module.operation)


def compile_kernel(specs: Sequence[Spec], body: Body, machine: Any) -> Compiled:
    """Compiles one fusion for a machine (a name, or a description)."""
    if isinstance(machine, str):
        machine = MACHINES.load(machine)
    exported, jobs = outline(specs, body)
    code: dict[str, KernelCode] = {}
    for job in jobs:
        code[job.name] = compile_text(job.text, machine)
    return Compiled(exported, code, machine)


def compile_text(text: str, machine: Any) -> KernelCode:
    """Compiles the text of one kernel."""
    with context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        kernel_pipeline(machine, OPTIONS).run(module)
        return emit(module, machine, OPTIONS)


def tiled_results(specs: Sequence[Spec], body: Body, machine: Any, arrays: Sequence[Array]) -> list[Array]:
    """What the `tiled` stage computes on the reference interpreter (single-kernel bodies)."""
    _, (job,) = outline(specs, body)
    with context(), ir.Location.unknown():
        module = ir.Module.parse(job.text)
        kernel_pipeline(machine, OPTIONS).run(module, stop_after="tiled")
        entry = kernel_entry(next(kernel for _, kernel in kernels_of(module)))
        # Reshapes at a kernel's edge are views in the plan.
        shapes = [tuple(a.type.shape) for a in entry.regions[0].blocks[0].arguments]
        named = {f"input{i}": _signless(a).reshape(shapes[i]) for i, a in enumerate(arrays)}
        return list(interpreter.run(module, named).values())


def _signless(array: Array) -> Array:
    return array.view(np.int8) if array.dtype == np.uint8 else array


def relative_error(got: Array, wanted: Array) -> float:
    """Relative L2 error; 0 where all elements are equal, NaN included."""
    a, b = np.asarray(got).astype(np.float64), np.asarray(wanted).astype(np.float64)
    if np.array_equal(a, b, equal_nan=True):
        return 0.0
    return float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30))


def check(specs: Sequence[Spec], body: Body, machine: Any, tolerance: float, seed: int = 0) -> dict[str, Any]:
    """Compiles, runs with the hazard checker, compares with numpy; returns the figures."""
    arrays = random_arrays(specs, seed)
    wanted = reference(specs, body, arrays)
    compiled = compile_kernel(specs, body, machine)
    outputs, figures = compiled.run(arrays)
    assert figures["hazards"] == []
    for got, want in zip(outputs, wanted, strict=True):
        assert relative_error(got, want) <= tolerance
    return figures


# ---- bodies ----


def mm(spec: str, dtype: str = "bf16") -> Body:
    """A contraction."""
    return lambda a, b: [build.contract(a, b, spec=spec, dtype=dtype)]


def linear(shape: tuple[int, int], *, relu: bool = True) -> Body:
    """A product with bias and activation; ``shape``: of the result."""

    def body(a: Any, b: Any, bias: Any) -> list[Any]:
        y = build.add(
            build.contract(a, b, spec="mk,kn->mn", dtype="bf16"), build.broadcast(bias, shape=shape, dims=[1])
        )
        return [build.relu(y) if relu else y]

    return body


def conv(
    stride: int = 1, pad: int = 0, dilation: int = 1, groups: int = 1, layout: str = "nhwc", rank: int = 2
) -> Body:
    """A convolution and a ReLU."""

    def body(x: Any, w: Any) -> list[Any]:
        y = build.conv(
            x, w, strides=[stride] * rank, pads_low=[pad] * rank, pads_high=[pad] * rank, dilations=[dilation] * rank,
            groups=groups, layout=layout,
        )  # fmt: skip
        return [build.relu(y)]

    return body


def pool(kind: str, kernel: int, stride: int, pad: int, *, include: bool = False) -> Body:
    """A pooling."""
    return lambda x: [
        build.pool(
            x,
            kind=kind,
            kernel=[kernel] * 2,
            strides=[stride] * 2,
            pads_low=[pad] * 2,
            pads_high=[pad] * 2,
            dilations=[1, 1],
            count_include_pad=include,
            p=2,
            layout="nhwc",
        )
    ]


def attention(q: Any, k: Any, v: Any) -> list[Any]:
    """Scaled products, softmax, products: what one head of attention is, for all heads."""
    scores = build.contract(q, k, spec="bhmk,bhnk->bhmn", dtype="f32")
    weights = build.softmax(build.mul(scores, build.full_like(scores, 0.2)), axis=3)
    return [build.contract(build.cast(weights, dtype="bf16", saturate=False), v, spec="bhmn,bhnk->bhmk", dtype="bf16")]


cast = functools.partial(build.cast, saturate=False)


def options(**values: Any) -> Mapping[str, Any]:
    """Executor options."""
    return values
