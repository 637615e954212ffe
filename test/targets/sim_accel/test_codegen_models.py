"""Whole plans: host placement, timing-only runs, the cost hook, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from codegen_helpers import build, compile_kernel
from onnx import TensorProto, helper

import accelc
from accelc import driver
from accelc.core.context import make_context
from accelc.core.diagnostics import UnsupportedError
from accelc.mlir import ir
from accelc.targets.sim_accel.registers import allocate
from accelc.targets.sim_accel.target import TARGET


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_CACHE", "0")
    monkeypatch.setenv("ACCELC_WORKERS", "1")


def mlp_with_topk() -> onnx.ModelProto:
    """A layer, and a sort that the accelerator cannot do."""
    rng = np.random.default_rng(0)
    weight = helper.make_tensor("w", TensorProto.FLOAT, (32, 48), rng.standard_normal(32 * 48).astype(np.float32))
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "product"),
        helper.make_node("Relu", ["h"], ["y"], "activation"),
        helper.make_node("TopK", ["y", "k"], ["top", "where"], "best", axis=1),
    ]
    k = helper.make_tensor("k", TensorProto.INT64, (1,), [3])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (8, 32))],
        [
            helper.make_tensor_value_info("top", TensorProto.FLOAT, (8, 3)),
            helper.make_tensor_value_info("where", TensorProto.INT64, (8, 3)),
        ],
        [weight, k],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_what_the_machine_cannot_do_runs_on_the_host_and_costs_its_link() -> None:
    model = mlp_with_topk()
    exe = accelc.compile(model, target="sim_accel:cloud", precision="strict")
    x = np.random.default_rng(1).standard_normal((8, 32)).astype(np.float32)
    top, _ = exe(x)
    weight = onnx.numpy_helper.to_array(model.graph.initializer[0])
    wanted = -np.sort(-np.maximum(x @ weight, 0), axis=1)[:, :3]
    np.testing.assert_allclose(top, wanted, rtol=1e-5, atol=1e-5)
    rows = exe.last_run["kernels"]
    placed = [r for r in rows if r["device"] == "host"]
    assert placed
    latency = TARGET.load_machine("cloud").host.link_latency
    assert all(r["cycles"] >= 2 * latency * 1e9 for r in placed)
    assert exe.stats["native_mac_fraction"] == 1.0
    assert exe.stats["native_byte_fraction"] < 1.0


def test_artifact_runs_from_a_file(tmp_path: Path) -> None:
    exe = accelc.compile(mlp_with_topk(), target="sim_accel:edge")
    exe.save(tmp_path / "m.accelc")
    x = np.ones((8, 32), np.float32)
    again = accelc.load(tmp_path / "m.accelc")
    for a, b in zip(exe(x), again(x), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.last_run["cycles"] == exe.last_run["cycles"]


def test_cost_is_what_a_run_takes() -> None:
    model = mlp_with_topk()
    exe = accelc.compile(model, target="sim_accel:edge")
    exe(np.ones((8, 32), np.float32))
    figures = exe.last_run
    report = driver.cost(model, "sim_accel:edge")
    assert report.source == "simulated"
    assert report.seconds * report.clock == pytest.approx(figures["cycles"])
    assert report.bytes_moved == figures["bytes_moved"]
    assert report.energy == pytest.approx(figures["energy_j"])
    assert report.macs == 8 * 32 * 48


def test_a_kernel_without_an_instruction_for_it_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"math\.atan"):
        compile_kernel([((4, 4), "f32")], lambda x: [build.atan(x)], "edge")


def test_unknown_element_types_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="element type f64"):
        compile_kernel([((4, 4), "f64")], lambda x: [build.relu(x)], "edge")


def test_too_many_registers_are_an_error_not_a_crash() -> None:
    lines = [f'%v{i} = "sim_accel.movi"() {{imm = {i} : i64}} : () -> i64' for i in range(40)]
    uses = [f'%s{i} = "sim_accel.sadd"(%v{i}) {{x = "$0", y = "1"}} : (i64) -> i64' for i in range(40)]
    text = "func.func @entry() {\n" + "\n".join([*lines, *uses]) + "\nreturn }"
    with make_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        with pytest.raises(UnsupportedError, match="scalar registers"):
            allocate(module.body.operations[0].operation)


def test_values_live_through_the_loops_that_use_them() -> None:
    text = """func.func @entry(%x: i64) {
      %a = "sim_accel.sadd"(%x) {x = "$0", y = "1"} : (i64) -> i64
      "sim_accel.loop"() ({
      ^bb0(%i: i64):
        %b = "sim_accel.sadd"(%a, %i) {x = "$0", y = "$1"} : (i64, i64) -> i64
        %c = "sim_accel.sadd"(%b) {x = "$0", y = "1"} : (i64) -> i64
        "sim_accel.endloop"() : () -> ()
      }) {count = "4", start = "0", inc = "1"} : () -> ()
      return }"""
    with make_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        registers = allocate(module.body.operations[0].operation)
        loop = module.body.operations[0].regions[0].blocks[0].operations[1].operation
        inside = loop.regions[0].blocks[0]
        a = registers[module.body.operations[0].regions[0].blocks[0].operations[0].operation.results[0]]
        others = [
            registers[inside.arguments[0]],
            *(registers[o.operation.results[0]] for o in list(inside.operations)[:2]),
        ]
    assert a not in others


def test_cost_and_run_agree_where_the_plan_copies() -> None:
    """A reshape of an input is a copy; what it costs is in the prediction as it is in the run."""
    from accelc import builder as ab
    from accelc import driver

    model = ab.trace(lambda x: (ab.reshape(x, (4, 16)), ab.relu(x)), ab.Spec((8, 8), "f32", name="x"))
    chip = driver.compile(model, "sim_accel:edge")
    chip(np.ones((8, 8), np.float32))
    report = driver.cost(model, "sim_accel:edge")
    assert report.to_json()["cycles"] == chip.last_run["cycles"]
    assert sum(launch.bytes_moved for launch in report.launches) == chip.last_run["bytes_moved"]
    assert [launch.kernel for launch in report.launches].count("copy") == 1


def test_errors_of_kernels_keep_their_kind_and_name_a_node() -> None:
    """They cross from the worker process as the kind that the user knows, and the plan says which node it is."""
    from accelc import _worker, driver
    from accelc import builder as ab
    from accelc.core.diagnostics import UnsupportedError
    from accelc.targets.sim_accel.codegen.memory import ScratchpadOverflow

    assert _worker._public(ScratchpadOverflow) == "UnsupportedError"
    model = ab.trace(lambda x: ab.relu(x), ab.Spec((8, 8), "f64", name="x"))
    with pytest.raises(UnsupportedError, match="f64") as caught:
        driver.compile(model, "sim_accel:edge")
    assert caught.value.node is not None
    assert "test_codegen_models.py" in caught.value.node
