"""What the sanitizer says about asynchronous copies: planted faults of each kind, and their correct twins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from async_kernels import Case, Copy, run

from accelc.targets.gpu.emulator import TensorMap

BULK_LOAD = "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes"
BULK_STORE = "cp.async.bulk.global.shared::cta.bulk_group"
TENSOR_LOAD = "cp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes"
TENSOR_STORE = "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group"
EXPECT = "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%bar], 64;"
WAIT = "SPIN: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%bar], 0; @!%p1 bra SPIN;"
READ = "ld.shared.u32 %r5, [%data];"
WRITE = "st.shared.u32 [%data], %r0;"
FENCE = "fence.proxy.async;"
COMMIT = "cp.async.bulk.commit_group;"
SMALL = "cp.async.ca.shared.global [%data], [%src], 16;"
LOADS = {
    "bulk": f"{EXPECT} {BULK_LOAD} [%data], [%src], 64, [%bar];",
    "tensor": f"{EXPECT} {TENSOR_LOAD} [%data], [%map, {{0, 0}}], [%bar];",
}
STORES = {
    "bulk": f"{BULK_STORE} [%src], [%data], 64; {COMMIT}",
    "tensor": f"{TENSOR_STORE} [%map, {{0, 0}}], [%data]; {COMMIT}",
}


def kinds(text: str, **options: Any) -> list[str]:
    """The kinds of findings of one thread's text; shared memory is filled and fenced before it."""
    copy = Copy(text, ["map:map", "src:ptr"], 256, loads=False)
    array = np.zeros((4, 8), np.float32)
    case = Case(replace(copy, **options), [TensorMap(array, box=(8, 2)), np.zeros(512, np.uint8)])
    (report,) = run([case], sanitize=True, raise_on_finding=False)
    return [finding.kind for finding in report.findings]


@pytest.mark.parametrize("load", LOADS)
def test_reading_a_load_before_its_barrier(load: str) -> None:
    assert kinds(f"{LOADS[load]} {READ} {WAIT}") == ["async_before_wait"]
    assert kinds(f"{LOADS[load]} {WRITE} {WAIT}") == ["async_before_wait"]
    assert kinds(f"{LOADS[load]} {WAIT} {READ} {WRITE}") == []


@pytest.mark.parametrize("load", LOADS)
def test_two_loads_to_one_place(load: str) -> None:
    """The second overwrites what nobody has waited for."""
    again = LOADS[load].replace(EXPECT, "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%bar], 64;")
    assert "async_before_wait" in kinds(f"{again} {LOADS[load]} {WAIT}")


@pytest.mark.parametrize("store", STORES)
def test_reusing_the_source_of_a_store(store: str) -> None:
    assert kinds(f"{STORES[store]} {WRITE}") == ["async_before_wait"]
    assert kinds(f"{STORES[store]} {READ}") == []  # two readers do no harm
    assert kinds(f"{STORES[store]} cp.async.bulk.wait_group.read 0; {WRITE}") == []
    assert kinds(f"{STORES[store]} cp.async.bulk.wait_group 0; {WRITE}") == []
    assert kinds(f"{STORES[store]} {COMMIT} cp.async.bulk.wait_group.read 1; {WRITE}") == []
    assert kinds(f"{STORES[store]} cp.async.bulk.wait_group.read 1; {WRITE}") == ["async_before_wait"]


def test_reading_what_a_store_writes() -> None:
    store, load = STORES["bulk"], "ld.global.u32 %r5, [%src];"
    assert kinds(f"{store} {load}") == ["async_before_wait"]
    assert kinds(f"{store} cp.async.bulk.wait_group.read 0; {load}") == ["async_before_wait"]
    assert kinds(f"{store} cp.async.bulk.wait_group 0; {load}") == []


@pytest.mark.parametrize("store", STORES)
def test_a_store_without_a_proxy_fence(store: str) -> None:
    assert kinds(f"{WRITE} {STORES[store]}") == ["missing_proxy_fence"]
    assert kinds(f"{WRITE} {FENCE} {STORES[store]}") == []


@pytest.mark.parametrize("load", LOADS)
def test_a_load_over_what_ordinary_stores_wrote(load: str) -> None:
    assert kinds(f"{WRITE} {LOADS[load]} {WAIT}") == ["missing_proxy_fence"]
    assert kinds(f"{WRITE} {FENCE} {LOADS[load]} {WAIT}") == []


@pytest.mark.parametrize("store", STORES)
def test_storing_memory_that_nobody_wrote(store: str) -> None:
    unwritten = STORES[store].replace("[%data]", "[%r1]")
    assert kinds(f"add.u32 %r1, %bar, 512; {unwritten}") == ["uninitialized"]


def test_a_clipped_store_reads_only_what_it_stores() -> None:
    """Rows of the box outside of the tensor may be unwritten."""
    clipped = STORES["tensor"].replace("{0, 0}", "{0, 3}").replace("[%data]", "[%r1]")
    fill = "".join(f"st.shared.u32 [%r1+{4 * k}], 0;" for k in range(8))
    assert kinds(f"add.u32 %r1, %bar, 512; {fill} {FENCE} {clipped}") == []


def test_cp_async_needs_its_wait() -> None:
    assert kinds(f"{SMALL} {READ}") == ["async_before_wait"]
    assert kinds(f"{SMALL} cp.async.wait_all; {READ}") == []
    assert kinds(f"{SMALL} cp.async.commit_group; cp.async.wait_group 0; {READ}") == []
    assert kinds(f"{SMALL} cp.async.wait_group 0; {READ}") == ["async_before_wait"]  # not committed
    later = SMALL.replace("%data", "%data+16")
    groups = f"{SMALL} cp.async.commit_group; {later} cp.async.commit_group; cp.async.wait_group 1;"
    assert kinds(f"{groups} {READ}") == []
    assert kinds(f"{groups} ld.shared.u32 %r5, [%data+16];") == ["async_before_wait"]


def test_cp_async_zero_fill_writes() -> None:
    filled = "cp.async.ca.shared.global [%r1], [%src], 16, 4;"
    assert kinds(f"add.u32 %r1, %bar, 512; {filled} cp.async.wait_all; ld.shared.u32 %r5, [%r1+12];") == []


def test_another_threads_cp_async_needs_a_barrier() -> None:
    mine = f"mad.lo.u32 %r1, %thread, 4, %data; xor.b32 %r2, %thread, 16; mad.lo.u32 %r2, %r2, 4, %data; {COPY_WORD}"
    assert "async_before_wait" in kinds(f"{mine} cp.async.wait_all; ld.shared.u32 %r5, [%r2];", all_threads=True)
    assert kinds(f"{mine} cp.async.wait_all; bar.sync 0; ld.shared.u32 %r5, [%r2];", all_threads=True) == []


COPY_WORD = "cp.async.ca.shared.global [%r1], [%src], 4;"


def test_reductions_may_meet() -> None:
    """Threads, and copies in flight, reduce into the same place: each element is an atomic step."""
    name = "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32"
    both = f"{name} [%src], [%data], 64; {name} [%src], [%data], 64; {COMMIT} cp.async.bulk.wait_group 0;"
    assert kinds(both, all_threads=True) == []
    assert "race" in kinds(f"{both} st.global.u32 [%src], %r0;", cluster=2, issuers=3)


def test_a_map_changed_without_a_fence() -> None:
    change = "tensormap.replace.tile.box_dim.global.b1024.b32 [%d1], 1, 2;"
    copy = "mov.u64 %d1, made; mov.u64 %d2, made;"
    fences = "fence.proxy.tensormap::generic.release.gpu; fence.proxy.tensormap::generic.acquire.gpu [%d1], 128;"
    load = f"{EXPECT} {TENSOR_LOAD} [%data], [%d1, {{0, 0}}], [%bar]; {WAIT}"
    fill = "".join(f"ld.u64 %d3, [%map+{8 * k}]; st.global.u64 [%d1+{8 * k}], %d3;" for k in range(16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("async_kernels.HEADER", HEADER)
        assert kinds(f"{copy} {fill} {change} {load}") == ["missing_proxy_fence"]
        assert kinds(f"{copy} {fill} {change} {fences} {load}") == []


HEADER = (
    ".version 9.0\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 smem[];\n"
    ".global .align 128 .b8 made[128];\n"
)
