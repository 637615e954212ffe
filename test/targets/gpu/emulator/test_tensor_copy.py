"""cp.async.bulk.tensor in all modes, its reductions and prefetches, against numpy, torch and Triton."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tensor_models as model
from async_kernels import UNWRITTEN, Case, Copy, assemble, instructions, run, swizzled, untested
from ptx_kernels import expand
from reduction_models import DTYPES, operands, reduced, same
from toolkit import needs_ptxas

from accelc.targets.gpu.emulator import Emulator, FindingsError, TensorMap
from accelc.targets.gpu.emulator.native import core

DONE = "cp.async.bulk.commit_group;\n    cp.async.bulk.wait_group 0;"
LOAD = "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
SWIZZLES = ("none", "32B", "64B", "128B")


def is_tensor(opcode: str, modifiers: str) -> bool:
    return opcode == "cp" and "tensor" in modifiers.split()


def names(*wanted: str) -> list[str]:
    """The tensor copies whose modifiers include all of `wanted`."""
    rows = [(opcode, modifiers) for opcode, modifiers, _ in core().forms() if is_tensor(opcode, modifiers)]
    return [n for row in rows for n in expand(*row) if set(wanted) <= set(n.split("."))]


def rank_of(name: str) -> int:
    return next(r for r in range(1, 6) if f"{r}d" in name.split("."))


def policy(name: str) -> str:
    return ", %d0" if "L2::cache_hint" in name else ""


def braces(values: list[int]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def rounded(nbytes: int) -> int:
    return -(-nbytes // 128) * 128


def load_case(name: str, tm: TensorMap, rng: np.random.Generator, cluster: int = 1, mask: int = 1) -> Case:
    """A box loaded to a random multiple of 128, in the blocks of `mask`."""
    start, offsets = model.random_start(tm, rng)
    skip = 128 * int(rng.integers(0, 10))
    total = skip + rounded(tm.box_bytes) + 128
    out = np.zeros((cluster, total), np.uint8)
    wanted = np.full_like(out, UNWRITTEN)
    box = swizzled(model.load(tm, tm.memory, start, offsets), SWIZZLES[tm.swizzle], skip)
    for rank in range(cluster):
        if mask >> rank & 1:
            wanted[rank, skip : skip + box.size] = box
    ctas = ", %h0" if "multicast::cluster" in name else ""
    shift = f", {braces(offsets)}" if tm.im2col else ""
    text = (
        f"mov.b64 %d0, 0; add.u32 %r1, %data, {skip}; mov.b16 %h0, {mask};\n"
        f"    {name} [%r1], [%map, {braces(start)}], [%bar]{shift}{ctas}{policy(name)};"
    )
    setup = f"mov.u32 %r7, {mask}; shr.u32 %r7, %r7, %rank; and.b32 %r7, %r7, 1; mul.lo.u32 %r7, %r7, {tm.box_bytes};"
    copy = Copy(text, ["map:map", "out:ptr"], total, expected="%r7", setup=setup, cluster=cluster)
    return Case(copy, [tm, out], [(out, wanted)], label=f"{name} {tm!r} at {start} {offsets}")


def store_case(name: str, tm: TensorMap, rng: np.random.Generator) -> Case:
    """A box stored, or reduced, from a random multiple of 128."""
    start, _ = model.random_start(tm, rng)
    skip = 128 * int(rng.integers(0, 10))
    elements = tm.box_bytes // tm.itemsize
    words = name.split(".")
    merge = None
    if words[1] == "reduce":
        kind = model.REDUCED_AS[tm.dtype]
        op = next(w for w in words if w in ("add", "min", "max", "inc", "dec", "and", "or", "xor"))
        dtype = np.dtype(DTYPES[kind])
        source = operands(kind, elements, rng).view(model.BITS[tm.itemsize])
        tm.memory[:] = operands(kind, tm.memory.size // tm.itemsize + 1, rng).view(np.uint8)[: tm.memory.size]

        def merge(old: np.ndarray, new: np.ndarray) -> np.ndarray:
            result = reduced(op, kind, old.view(dtype), new.view(dtype), flush=tm.dtype.endswith("ftz"))
            return result.astype(dtype).view(model.BITS[tm.itemsize])
    else:
        source = rng.integers(0, 256, tm.box_bytes, dtype=np.uint8).view(model.BITS[tm.itemsize])
    initial = rng.integers(0, 256, skip + rounded(tm.box_bytes), dtype=np.uint8)
    initial[skip:] = swizzled(source, SWIZZLES[tm.swizzle], skip)
    wanted = model.stored(tm, tm.memory, start, source, merge)
    text = (
        f"mov.b64 %d0, 0; add.u32 %r1, %data, {skip};\n"
        f"    {name} [%map, {braces(start)}], [%r1]{policy(name)};\n    {DONE}"
    )
    copy = Copy(text, ["map:map", "initial:ptr"], initial.size, loads=False)
    return Case(copy, [tm, initial], [(tm.memory, wanted)], label=f"{name} {tm!r} at {start}")


def prefetch_case(name: str, rng: np.random.Generator) -> Case:
    tm = model.random_map(rank_of(name), rng, im2col="im2col" in name)
    start, offsets = model.random_start(tm, rng)
    shift = f", {braces(offsets)}" if tm.im2col else ""
    text = f"mov.b64 %d0, 0; {name} [%map, {braces(start)}]{shift}{policy(name)};"
    return Case(Copy(text, ["map:map"], 16, loads=False), [tm], [(tm.memory, tm.memory.copy())], label=name)


def load_cases(repeat: int, seed: int) -> list[Case]:
    """Every form that loads, `repeat` random maps each; multicasts in clusters of 1, 2 and 4 with random masks."""
    rng = np.random.default_rng(seed)
    result = []
    for name in names("mbarrier::complete_tx::bytes"):
        for _ in range(repeat):
            tm = model.random_map(rank_of(name), rng, im2col="im2col" in name)
            cluster = int(rng.choice([1, 2, 4])) if "multicast::cluster" in name else 1
            result.append(load_case(name, tm, rng, cluster, int(rng.integers(1, 1 << cluster))))
    return result


def store_cases(repeat: int, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed)
    result = []
    for name in names("bulk_group", "async"):
        if "reduce" not in name:
            for _ in range(repeat):
                tm = model.random_map(rank_of(name), rng, im2col="im2col" in name)
                result.append(store_case(name, tm, rng))
    return result


def reduce_cases(repeat: int, seed: int) -> list[Case]:
    """Every reduction on each element type that it has."""
    rng = np.random.default_rng(seed)
    integers, floats = ["uint32", "int32", "uint64", "int64"], ["float16", "bfloat16"]
    of = {"add": [*integers, *floats, "float32", "float32_ftz", "float64"], "inc": ["uint32"], "dec": ["uint32"]}
    of |= {"min": integers + floats, "max": integers + floats, "and": integers, "or": integers, "xor": integers}
    result = []
    for name in names("reduce"):
        dtypes = of[next(w for w in name.split(".") if w in of)]
        for dtype in rng.choice(dtypes, repeat):
            tm = model.random_map(rank_of(name), rng, dtype=str(dtype), im2col="im2col" in name)
            result.append(store_case(name, tm, rng))
    for op, dtypes in of.items():  # and each pair of operation and type
        for dtype in dtypes:
            name = f"cp.reduce.async.bulk.tensor.2d.global.shared::cta.{op}.bulk_group"
            result.append(store_case(name, model.random_map(2, rng, dtype=dtype), rng))
    return result


def prefetch_cases() -> list[Case]:
    rng = np.random.default_rng(5)
    return [prefetch_case(name, rng) for name in names("prefetch")]


@pytest.mark.parametrize("seed", range(4))
def test_loads(seed: int) -> None:
    run(load_cases(2, seed))


@pytest.mark.parametrize("seed", range(2))
def test_stores(seed: int) -> None:
    run(store_cases(4, seed))


def test_reductions() -> None:
    cases = reduce_cases(1, 3)
    wanted = [case.expect.pop() for case in cases]
    run(cases)
    for case, (got, expected) in zip(cases, wanted, strict=True):
        kind = DTYPES[model.REDUCED_AS[case.args[0].dtype]]
        size = np.dtype(kind).itemsize
        padded = [np.pad(x, (0, -x.size % size)).view(kind) for x in (got, expected)]
        assert same(*padded).all(), case.label


def test_prefetches() -> None:
    run(prefetch_cases())


def test_every_form_has_a_case() -> None:
    cases = load_cases(1, 0) + store_cases(1, 0) + reduce_cases(1, 0) + prefetch_cases()
    assert untested(instructions(cases), is_tensor) == []


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path) -> None:
    assemble(load_cases(1, 0) + store_cases(1, 0) + reduce_cases(1, 0) + prefetch_cases(), tmp_path)


def test_sanitizer_finds_nothing_in_right_kernels() -> None:
    reductions = reduce_cases(1, 7)[::4]
    for case in reductions:
        case.expect = []  # test_reductions compares them
    for report in run(load_cases(1, 7) + store_cases(1, 7) + reductions, sanitize=True):
        assert report.findings == []


@pytest.mark.parametrize("swizzle", SWIZZLES[1:])
def test_swizzles_spread_a_column_over_the_banks(swizzle: str) -> None:
    """The published figure: chunk c of row r, in rows as wide as the swizzle, lies at c xor (address / 128)."""
    width = {"32B": 32, "64B": 64, "128B": 128}[swizzle]
    array = np.arange(64 * width, dtype=np.int64).astype(np.uint8).reshape(64, width)
    tm = TensorMap(array, box=(width, 64), swizzle=swizzle)
    out = np.zeros(array.size, np.uint8)
    copy = Copy(f"{LOAD} [%data], [%map, {{0, 0}}], [%bar];", ["map:map", "out:ptr"], array.size, expected=array.size)
    run([Case(copy, [tm, out])])
    for row in range(64):
        for chunk in range(width // 16):
            linear = row * width + 16 * chunk
            at = linear ^ (((linear >> 7) & (width // 16 - 1)) << 4)
            assert (out[at : at + 16] == array[row, 16 * chunk : 16 * chunk + 16]).all()


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 1, 0)])
def test_im2col_is_torchs_unfold(stride: int, dilation: int, padding: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(stride)
    images, height, width, channels, taps = 2, 9, 7, 16, 3
    x = rng.random((images, height, width, channels), np.float32)
    reach = (taps - 1) * dilation
    rows, columns = ((n + 2 * padding - reach - 1) // stride + 1 for n in (height, width))
    pixels = images * rows * columns
    tm = TensorMap(
        x,
        lower_corner=[-padding, -padding],
        upper_corner=[padding - reach, padding - reach],
        channels=channels,
        pixels=pixels,
        element_strides=[1, stride, stride, 1],
    )
    name = "cp.async.bulk.tensor.4d.shared::cta.global.im2col.mbarrier::complete_tx::bytes"
    unfolded = torch.nn.functional.unfold(
        torch.from_numpy(x.transpose(0, 3, 1, 2).copy()), taps, dilation=dilation, padding=padding, stride=stride
    )
    wanted = unfolded.numpy().reshape(images, channels, taps, taps, rows * columns)
    cases = []
    for r in range(taps):
        for s in range(taps):
            out = np.zeros((images, rows * columns, channels), np.float32)
            at, offsets = braces([0, -padding, -padding, 0]), braces([s * dilation, r * dilation])
            text = f"{name} [%data], [%map, {at}], [%bar], {offsets};"
            copy = Copy(text, ["map:map", "out:ptr"], tm.box_bytes, expected=tm.box_bytes)
            cases.append(Case(copy, [tm, out], [(out, wanted[:, :, r, s].transpose(0, 2, 1))]))
    run(cases)


@pytest.mark.parametrize("space", ["global", "const", "param", "named"])
def test_a_map_may_lie_in_any_constant_space(space: str) -> None:
    array, out = np.arange(256, dtype=np.float32).reshape(16, 16), np.zeros((4, 8), np.float32)
    load = f"{LOAD} [%data], [%map, {{3, 5}}], [%bar];"
    if space == "named":
        load = load.replace("%map", "k0_map")
    other = {"global": "mov.u64 %map, descriptor;", "const": "mov.u64 %map, constants; cvta.const.u64 %map, %map;"}
    copy = Copy(other.get(space, "") + load, ["map:map", "out:ptr"], out.nbytes, expected=out.nbytes)
    emulator = Emulator(MODULE + copy.ptx("k0"))
    memory = emulator.buffer(array.nbytes)
    memory.write(array)
    tm = TensorMap(memory, "float32", (16, 16), box=(8, 4))
    if space in other:  # as the host would have put it there
        emulator.symbol("descriptor" if space == "global" else "constants").write(tm.encode(memory.address))
    argument = bytes(128) if space in other else tm
    emulator.launch("k0", block=32, args=[argument, out], shared_bytes=4096)
    assert (out == array[5:9, 3:11]).all()


MODULE = """.version 9.0
.target sm_90a
.address_size 64
.extern .shared .align 1024 .b8 smem[];
.global .align 64 .b8 descriptor[128];
.const .align 64 .b8 constants[128];
"""


def faulty(load: str, args: list[object], kind: str, message: str) -> None:
    copy = Copy(load, ["map:map", "out:ptr"], 4096, expected=0)
    with pytest.raises(FindingsError, match=message) as caught:
        run([Case(copy, args)])
    assert caught.value.report.findings[0].kind == kind


def test_faults() -> None:
    x, out = np.zeros((64, 64), np.float32), np.zeros(4096, np.uint8)
    tm = TensorMap(x, box=(16, 8))
    at = f"{LOAD} [%data], [%map, {{0, 0}}], [%bar];"
    faulty(f"add.u32 %data, %data, 64; {at}", [tm, out], "misaligned", "128")
    faulty(f"add.u32 %data, %data, 3840; {at}", [tm, out], "out_of_bounds", "shared memory")
    faulty(at.replace("2d", "3d").replace("{0, 0}", "{0, 0, 0}"), [tm, out], "trap", "rank 2, the instruction 3")
    im2col = TensorMap(np.zeros((2, 4, 4), np.float32), lower_corner=[0], upper_corner=[0], channels=4, pixels=4)
    faulty(at.replace("2d", "3d").replace("{0, 0}", "{0, 0, 0}"), [im2col, out], "trap", "im2col tensor map")
    far = TensorMap(x, dims=(64, 128), strides=[256], box=(16, 8))
    faulty(at.replace("{0, 0}", "{0, 60}"), [far, out], "out_of_bounds", "past the end|end of")
    good = bytearray(tm.encode(0x7000_0000_0000))
    for byte, value, message in [
        (8, 7, "rank"),
        (9, 13, "element type"),
        (11, 4, "no meaning"),
        (12, 1, ""),
        (10, 1, "interleaved"),
        (16, 8, "stride"),
        (48, 0, "length of dimension 0"),
        (68, 0, "box"),
        (69, 2, "box"),
        (79, 9, "element stride"),
        (68, 3, "16"),
        (120, 1, "not made by"),
        (0, 8, "global address"),
    ]:
        bad = bytearray(good)
        bad[byte] = value
        if message:
            faulty(at, [bytes(bad), out], "trap", message)
    faulty(at, [np.random.default_rng(0).bytes(128), out], "trap", "no valid tensor map")


def test_arbitrary_bytes_as_a_map_never_reach_foreign_memory() -> None:
    """Maps with a few changed bytes: a result, or a finding."""
    rng = np.random.default_rng(9)
    x, out = np.zeros((64, 64), np.float32), np.zeros(4096, np.uint8)
    good = TensorMap(x, box=(16, 8)).encode(0x7000_0000_0000)
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(int(rng.integers(1, 4))):
            bad[int(rng.integers(0, 100))] = int(rng.choice([0, 1, 2, 16, 127, 128, 255, rng.integers(0, 256)]))
        start = braces([int(v) for v in rng.integers(-(2**31), 2**31, 2)])
        copy = Copy(f"{LOAD} [%data], [%map, {start}], [%bar];", ["map:map", "out:ptr"], 4096, loads=False)
        with contextlib.suppress(FindingsError):
            run([Case(copy, [bytes(bad), out])])


def test_counters() -> None:
    x, out = np.zeros((64, 64), np.float32), np.zeros(512, np.uint8)
    copy = Copy(f"{LOAD} [%data], [%map, {{0, 0}}], [%bar];", ["map:map", "out:ptr"], 512, expected=512)
    (report,) = run([Case(copy, [TensorMap(x, box=(16, 8)), out])])
    count = report.counters.by_opcode()[LOAD]
    assert (count.bytes, count.sectors) == (512, 16)
