"""The checked rewriter refuses what the bindings would crash on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accelc.core.diagnostics import InternalError, UnsupportedError
from accelc.core.rewrite import Rewriter, is_dead, rewrite_greedily, rewrite_once, walk
from accelc.mlir import ir

SOURCE = """
module {
  func.func @f(%a: i32, %c: f32) -> i32 {
    %0 = "t.a"(%a) : (i32) -> i32 loc("first")
    %1 = "t.b"(%0) : (i32) -> i32
    %2:2 = "t.two"(%1) : (i32) -> (i32, f32)
    %r = scf.execute_region -> i32 {
      %3 = "t.b"(%2#0) : (i32) -> i32
      scf.yield %3 : i32
    }
    return %r : i32
  }
}
"""


@pytest.fixture
def module() -> Iterator[Any]:
    context = ir.Context()
    context.enable_multithreading(False)
    context.allow_unregistered_dialects = True
    with context, ir.Location.unknown():
        yield ir.Module.parse(SOURCE)


def named(module: Any, name: str) -> Any:
    return walk(module, {name})[0]


def create(name: str, operands: list[Any], *types: Any) -> Any:
    return ir.Operation.create(name, results=list(types), operands=operands)


def test_walk_is_a_snapshot_operands_first(module: Any) -> None:
    names = [op.operation.name for op in walk(module)]
    assert names == [
        "t.a", "t.b", "t.two", "t.b", "scf.yield", "scf.execute_region", "func.return", "func.func", "builtin.module",
    ]  # fmt: skip
    assert [op.operation.name for op in walk(module, {"t.b"})] == ["t.b", "t.b"]


def test_replace_checks_count_type_and_origin(module: Any) -> None:
    rewriter = Rewriter(module)
    first, two = named(module, "t.a"), named(module, "t.two")
    with pytest.raises(InternalError, match="it has 2 results, not 1"):
        rewriter.replace(two, first.results[0])
    with pytest.raises(InternalError, match=r"result 1 is f32, its replacement i32"):
        rewriter.replace(two, [first.results[0], first.results[0]])
    with pytest.raises(InternalError, match="by its own result"):
        rewriter.replace(first, first)
    with pytest.raises(InternalError, match="int is not a value"):
        rewriter.replace_uses(first.results[0], 3)
    assert rewriter.changes == 0
    assert module.operation.verify()


def test_replace_moves_uses_and_keeps_handles_valid(module: Any) -> None:
    rewriter = Rewriter(module)
    first = named(module, "t.a")
    with rewriter.before(first):
        new = create("t.new", [first.operands[0]], first.results[0].type)
    rewriter.replace(first, new)
    assert str(new.location) == 'loc("first")'
    assert named(module, "t.b").operands[0] == new.results[0]
    # The erased op is out of the module, and still safe to print, to compare and to ask.
    assert '"t.a"' in str(first)
    assert rewriter.is_erased(first)
    assert not rewriter.is_erased(new)
    assert '"t.a"' not in str(module)
    assert module.operation.verify()
    for use in (lambda: rewriter.erase(first), lambda: rewriter.replace(first, new)):
        with pytest.raises(InternalError, match="was erased before"):
            use()
    with pytest.raises(InternalError, match="was erased before"):
        rewriter.replace(named(module, "t.b"), first)


def test_replace_by_a_block_argument(module: Any) -> None:
    rewriter = Rewriter(module)
    first = named(module, "t.a")
    rewriter.replace(first, named(module, "func.func").arguments[0])
    assert str(named(module, "t.b").operands[0].type) == "i32"
    assert module.operation.verify()


def test_erase_refuses_live_uses(module: Any) -> None:
    rewriter = Rewriter(module)
    with pytest.raises(InternalError, match=r"erasing 't\.a' -> i32 .* while 't\.b' -> i32 .* uses it"):
        rewriter.erase(named(module, "t.a"))
    with pytest.raises(InternalError, match="may not erase the op it runs on"):
        rewriter.erase(module)


def test_erase_with_regions_cuts_uses_of_outer_values(module: Any) -> None:
    rewriter = Rewriter(module)
    two, region = named(module, "t.two"), named(module, "scf.execute_region")
    inner = walk(region, {"t.b"})[0]
    rewriter.replace(region, two.results[0])
    assert [use.owner.operation.name for use in two.results[0].uses] == ["func.return"]
    assert rewriter.is_erased(inner)
    assert '"t.b"' in str(inner)
    assert module.operation.verify()


def test_erase_dead(module: Any) -> None:
    rewriter = Rewriter(module)
    function = named(module, "func.func")
    rewriter.replace_uses(named(module, "scf.execute_region").results[0], function.arguments[0])
    assert rewriter.erase_dead(lambda op: op.operation.name != "t.a") == 3
    assert [op.operation.name for op in walk(function)] == ["t.a", "func.return", "func.func"]
    assert is_dead(named(module, "t.a"))


def test_insertion_points(module: Any) -> None:
    rewriter = Rewriter(module)
    region = named(module, "scf.execute_region")
    block = region.operation.regions[0].blocks[0]
    with rewriter.at_start(block):
        create("t.start", [])
    with rewriter.at_end(block):
        create("t.end", [])
    with rewriter.after(named(module, "t.two")):
        create("t.after1", [])
        create("t.after2", [])
    names = [op.operation.name for op in walk(named(module, "func.func"))]
    assert names == [
        "t.a", "t.b", "t.two", "t.after1", "t.after2", "t.start", "t.b", "t.end", "scf.yield", "scf.execute_region",
        "func.return", "func.func",
    ]  # fmt: skip


def test_operands_attributes_clone(module: Any) -> None:
    rewriter = Rewriter(module)
    first, second = named(module, "t.a"), named(module, "t.b")
    argument_f32 = named(module, "func.func").arguments[1]
    with pytest.raises(InternalError, match=r"operand 0 of 't\.b' .* is i32, not f32"):
        rewriter.set_operand(second, 0, argument_f32)
    with pytest.raises(InternalError, match="has no operand 1"):
        rewriter.set_operand(second, 1, first.results[0])
    rewriter.set_operand(second, 0, first.operands[0])
    rewriter.set_attr(second, "x", ir.UnitAttr.get())
    with rewriter.before(second):
        copy = rewriter.clone(second, [first.results[0]])
        with pytest.raises(InternalError, match="it has 1 operands, not 0"):
            rewriter.clone(second, [])
    rewriter.set_attr(second, "x", None)
    assert "x" in copy.attributes
    assert "x" not in second.attributes
    assert copy.operands[0] == first.results[0]
    assert copy.operation.is_before_in_block(second.operation)


def test_rewrite_once_skips_erased_and_new_ops(module: Any) -> None:
    seen = []

    def on_b(op: Any, rewriter: Rewriter) -> None:
        seen.append(str(op.operation.name))
        rewriter.replace(op, create("t.b", list(op.operands), op.results[0].type))

    assert rewrite_once(module, {"t.b": on_b}).changes == 2
    assert seen == ["t.b", "t.b"]


def test_rewrite_greedily_reaches_a_fixpoint_or_says_so(module: Any) -> None:
    def shrink(op: Any, rewriter: Rewriter) -> None:
        producer = op.operands[0].owner
        if isinstance(producer, ir.OpView) and producer.operation.name == "t.a":
            rewriter.replace(op, producer.results[0])

    assert rewrite_greedily(module, {"t.b": shrink}).changes == 1

    def again(op: Any, rewriter: Rewriter) -> None:
        rewriter.replace(op, create("t.a", list(op.operands), op.results[0].type))

    with pytest.raises(InternalError, match=r"does not end: patterns still change 't\.a' after 5 walks"):
        rewrite_greedily(module, {"t.a": again}, max_rounds=5)


def test_errors_in_handlers_carry_the_location(module: Any) -> None:
    def refuse(op: Any, rewriter: Rewriter) -> None:
        raise UnsupportedError("no")

    with pytest.raises(UnsupportedError) as caught:
        rewrite_once(module, {"t.a": refuse})
    assert str(caught.value.location) == 'loc("first")'
