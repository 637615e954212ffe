"""Tensor maps: what the driver would refuse, and maps that kernels make and change."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensor_models as model
from async_kernels import HEADER, Case, Copy, assemble, instructions, run, swizzled, untested
from ptx_kernels import expand
from toolkit import needs_ptxas

from accelc.core.diagnostics import UnsupportedError, UsageError
from accelc.targets.gpu.emulator import Emulator, FindingsError, PtxError, TensorMap, UnsupportedPtxError
from accelc.targets.gpu.emulator.native import core

SWIZZLES = ("none", "32B", "64B", "128B")
# As the manual numbers them for tensormap.replace, which is not the order of CUtensorMapDataType.
ELEMENT_TYPES = ["uint8", "uint16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float32_ftz"]
ELEMENT_TYPES += ["float64", "bfloat16", "tfloat32", "tfloat32_ftz"]


def is_map(opcode: str, modifiers: str) -> bool:
    return opcode == "tensormap" or (opcode == "prefetch" and "tensormap" in modifiers)


def names() -> list[str]:
    rows = [(opcode, modifiers) for opcode, modifiers, _ in core().forms() if is_map(opcode, modifiers)]
    return [n for row in rows for n in expand(*row)]


# ---- the encoder -----------------------------------------------------------------------------------------------------


def test_an_array_gives_its_own_dims_and_strides() -> None:
    tm = TensorMap(np.zeros((3, 5, 16), np.float32), box=(8, 2, 1))
    assert (tm.dims, tm.strides, tm.dtype, tm.box_bytes) == ((16, 5, 3), (64, 320), "float32", 64)
    assert len(tm.encode(0x7000_0000_0000)) == 128


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.float4_e2m1fn, ml_dtypes.int4, np.int8, bool])
def test_narrow_types_are_bytes(dtype: Any) -> None:
    assert TensorMap(np.zeros((4, 32), dtype), box=(16, 2)).dtype == "uint8"


def test_bfloat16_is_itself() -> None:
    assert TensorMap(np.zeros((4, 32), ml_dtypes.bfloat16), box=(16, 2)).dtype == "bfloat16"


def test_element_strides_thin_the_box() -> None:
    tm = TensorMap(np.zeros((16, 16), np.float32), box=(8, 7), element_strides=(3, 2))
    assert tm.box_bytes == 8 * 4 * 4  # dimension 0 is never strided


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": ()}, "1 to 5"),
        ({"dims": (16,) * 6, "box": (16,) * 6}, "1 to 5"),
        ({"dims": (0, 16)}, "dims"),
        ({"dims": (1 << 33, 16)}, "dims"),
        ({"strides": (60,)}, "multiples of 16"),
        ({"strides": (1 << 40,)}, "strides"),
        ({"strides": (64, 64)}, "strides"),
        ({"box": (4, 0)}, "box"),
        ({"box": (257, 1)}, "box"),
        ({"box": (4,)}, "box"),
        ({"box": (3, 1)}, "12 bytes"),
        ({"box": None}, "needs a box"),
        ({"element_strides": (1, 9)}, "element_strides"),
        ({"element_strides": (1, 0)}, "element_strides"),
        ({"swizzle": "32B", "box": (16, 2)}, "at most"),
        ({"swizzle": "64B", "box": (32, 2)}, "at most"),
        ({"swizzle": "128B", "box": (64, 2)}, "at most"),
        ({"swizzle": "256B"}, "swizzle is one of"),
        ({"oob_fill": "ones"}, "oob_fill is one of"),
        ({"l2_promotion": "32B"}, "l2_promotion is one of"),
        ({"interleave": "8B"}, "interleave is one of"),
        ({"dtype": "int32", "oob_fill": "nan"}, "NaN"),
        ({"dtype": "complex64"}, "no element type"),
        ({"dtype": "no such"}, "no element type"),
        ({"box": ("x", 1)}, "integers"),
        ({"lower_corner": [0], "upper_corner": [0], "channels": 4, "pixels": 4}, "no box"),
        ({"box": None, "lower_corner": [], "upper_corner": [], "channels": 4, "pixels": 4}, "3 to 5"),
    ],
)
def test_what_the_driver_refuses(change: dict[str, Any], message: str) -> None:
    parameters: dict[str, Any] = {"box": (4, 2), **change}
    with pytest.raises(UsageError, match=message):
        TensorMap(np.zeros((16, 16), np.float32), **parameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lower_corner": [0]}, "lower_corner"),
        ({"lower_corner": [-129, 0]}, "lower_corner"),
        ({"upper_corner": [0, 128]}, "upper_corner"),
        ({"upper_corner": [-8, 0]}, "empty"),
        ({"channels": 257}, "channels"),
        ({"channels": 0}, "channels"),
        ({"pixels": 1025}, "pixels"),
        ({"pixels": None}, "im2col map has"),
        ({"channels": 2}, "8 bytes"),
    ],
)
def test_what_the_driver_refuses_of_im2col(change: dict[str, Any], message: str) -> None:
    parameters: dict[str, Any] = {"lower_corner": [0, 0], "upper_corner": [0, 0], "channels": 4, "pixels": 4, **change}
    with pytest.raises(UsageError, match=message):
        TensorMap(np.zeros((2, 8, 8, 16), np.float32), **parameters)


def test_what_is_not_modelled_is_refused_by_name() -> None:
    array = np.zeros((4, 16, 16), np.float32)
    with pytest.raises(UnsupportedError, match="interleaved"):
        TensorMap(array, box=(4, 2, 2), interleave="16B")
    with pytest.raises(UnsupportedError, match="sm_100"):
        TensorMap(array, box=(4, 2, 2), swizzle="128B_ATOM_32B")


def test_the_address_must_be_aligned() -> None:
    with pytest.raises(UsageError, match="multiple of 16"):
        TensorMap(np.zeros((16, 16), np.float32), box=(4, 2)).encode(0x7000_0000_0008)


def test_arrays_must_be_contiguous_and_buffers_described() -> None:
    with pytest.raises(UsageError, match="contiguous"):
        TensorMap(np.zeros((16, 16), np.float32)[:, ::2], box=(4, 2))
    with pytest.raises(UsageError, match="dtype and dims"):
        TensorMap(object(), box=(4, 2))


def test_the_longest_dimension() -> None:
    """2^32 elements: the map is made, and what memory does not have is out of bounds."""
    array = np.arange(64, dtype=np.uint8)
    tm = TensorMap(array, dims=(1 << 32,), box=(32,))
    load = "cp.async.bulk.tensor.1d.shared::cta.global.mbarrier::complete_tx::bytes"
    out = np.zeros(32, np.uint8)
    inside, beyond = (
        Case(Copy(f"{load} [%data], [%map, {{{x}}}], [%bar];", ["map:map", "out:ptr"], 32, expected=32), [tm, out])
        for x in (32, 40)
    )
    run([inside])
    assert (out == array[32:]).all()
    with pytest.raises(FindingsError, match="out_of_bounds"):
        run([beyond])


# ---- maps made and changed by kernels --------------------------------------------------------------------------------


def replacements(tm: TensorMap, space: str, at: str) -> str:
    """tensormap.replace of all fields that a tiled map has; %address is the tensor's."""
    dot = f".{space}" if space else ""
    values: list[tuple[str, str]] = [("global_address", "%address"), ("rank", str(len(tm.dims) - 1))]
    for d, (length, box, step) in enumerate(zip(tm.dims, tm.box, tm.element_strides, strict=True)):
        values += [("box_dim", f"{d}, {box}"), ("global_dim", f"{d}, {length}"), ("element_stride", f"{d}, {step}")]
    values += [("global_stride", f"{d}, {stride}") for d, stride in enumerate(tm.strides)]
    values += [("elemtype", str(ELEMENT_TYPES.index(tm.dtype))), ("interleave_layout", "0")]
    values += [("swizzle_mode", str(tm.swizzle)), ("fill_mode", str(tm.oob_fill))]
    wide = ("global_address", "global_stride")
    return "\n    ".join(
        f"tensormap.replace.tile.{field}{dot}.b1024.{'b64' if field in wide else 'b32'} [{at}], {value};"
        for field, value in values
    )


def made_case(tm: TensorMap, space: str, scope: str, rng: np.random.Generator) -> Case:
    """A map made from zeros by the kernel, in shared memory or right in global memory, and a box loaded by it."""
    start, _ = model.random_start(tm, rng)
    total = 1024 + -(-tm.box_bytes // 128) * 128
    out = np.zeros(total, np.uint8)
    zeros = "".join(f"st.shared.u32 [%data+{4 * k}], 0;" for k in range(32))
    if space == "shared::cta":
        make = f"{zeros}\n    {replacements(tm, space, '%data')}"
    else:
        make = replacements(tm, space, "%descriptor")
    rank = len(tm.dims)
    load = f"cp.async.bulk.tensor.{rank}d.shared::cta.global.mbarrier::complete_tx::bytes"
    at = "{" + ", ".join(map(str, start)) + "}"
    copy = "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic"
    carry = f"{copy}.release.{scope}.sync.aligned [%descriptor], [%data], 128;" if space == "shared::cta" else ""
    fence = "" if carry else f"fence.proxy.tensormap::generic.release.{scope};"
    text = (
        f"@%others bra MADE;\n    {make}\n    {fence}\n    MADE: bar.warp.sync -1;\n    {carry}\n"
        f"    fence.proxy.tensormap::generic.acquire.{scope} [%descriptor], 128;\n    @%others bra LOADED;\n"
        f"    add.u32 %r1, %data, 1024;\n    {load} [%r1], [%descriptor, {at}], [%bar];\n    LOADED:"
    )
    descriptor = np.zeros(128, np.uint8)
    parameters = ["map:map", "address:address", "descriptor:ptr", "out:ptr"]
    loaded = Copy(text, parameters, total, expected=tm.box_bytes, all_threads=True)
    box = swizzled(model.load(tm, tm.memory, start), SWIZZLES[tm.swizzle], 1024)
    case = Case(loaded, [tm, tm.memory, descriptor, out], label=f"{space} {tm!r} at {start}")
    case.expect = [(out[1024 : 1024 + box.size], box)]
    return case


def made_cases() -> list[Case]:
    rng = np.random.default_rng(4)
    result = []
    for n in range(60):
        tm = model.random_map(1 + n % 5, rng)
        tm.l2_promotion = 0  # no instruction replaces it
        space, scope = ("shared::cta", "global", "")[n % 3], ("cta", "cluster", "gpu", "sys")[n // 3 % 4]
        result.append(made_case(tm, space, scope, rng))
    return result


def prefetch_cases() -> list[Case]:
    tm = TensorMap(np.zeros((16, 16), np.float32), box=(4, 4))
    generic = "prefetch.tensormap [%map];"
    param = "mov.b64 %map, NAME_map; prefetch.param.tensormap [%map]; prefetch.param.tensormap [NAME_map];"
    const = "mov.u64 %d1, held; prefetch.const.tensormap [%d1]; prefetch.const.tensormap [held];"
    return [
        Case(Copy(text.replace("NAME", f"k{n}"), ["map:map"], 16, loads=False), [tm])
        for n, text in enumerate((generic, param, const))
    ]


HELD = "\n.const .align 64 .b8 held[128];\n"


def test_a_map_made_by_a_kernel_is_the_encoders() -> None:
    cases = made_cases()
    run(cases)
    for case in cases:
        tm, _, descriptor, _ = case.args
        address = int(descriptor[:8].view(np.uint64)[0])
        assert descriptor.tobytes() == tm.encode(address), case.label


def test_the_sanitizer_finds_nothing_in_made_maps() -> None:
    for report in run(made_cases()[:20], sanitize=True):
        assert report.findings == []


def test_prefetching_a_map_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("async_kernels.HEADER", HEADER + HELD)
    run(prefetch_cases())


def test_every_form_has_a_case() -> None:
    assert untested(instructions(made_cases() + prefetch_cases()), is_map) == []


@needs_ptxas
def test_ptxas_takes_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assemble(made_cases(), tmp_path)
    monkeypatch.setattr("async_kernels.HEADER", HEADER + HELD)
    assemble(prefetch_cases(), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "tensormap.replace.tile.elemtype.global.b1024.b32 [%map], 13;",
        "tensormap.replace.tile.swizzle_mode.global.b1024.b32 [%map], 4;",
        "tensormap.replace.tile.fill_mode.global.b1024.b32 [%map], 2;",
        "tensormap.replace.tile.interleave_layout.global.b1024.b32 [%map], %r1;",
        "tensormap.replace.tile.box_dim.global.b1024.b32 [%map], 5, %r1;",
        "tensormap.replace.tile.rank.global.b1024.b32 [%map];",
        "tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%map], [%data], 64;",
    ],
)
def test_what_ptxas_refuses_is_refused(text: str) -> None:
    with pytest.raises(PtxError, match="line"):
        run([Case(Copy(text, ["map:map"], 64, loads=False), [])])


@pytest.mark.parametrize(
    "name",
    [
        "cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group",
        "cp.async.bulk.tensor.3d.shared::cta.global.im2col::w.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.cta_group::1",
        "tensormap.replace.tile.swizzle_atomicity.global.b1024.b32",
    ],
)
def test_instructions_of_sm_100_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedPtxError, match=name.replace(".", r"\.")):
        run([Case(Copy(f"{name} [%data], [%map, {{0, 0}}], [%bar];", ["map:map"], 64, loads=False), [])])


def test_tritons_descriptors() -> None:
    """Triton makes them from zeroed shared memory by tensormap.replace, in a workspace in global memory."""
    triton = pytest.importorskip("triton")
    compiler, backends = pytest.importorskip("triton.compiler"), pytest.importorskip("triton.backends.compiler")
    from triton_descriptors import block_sum

    signature = dict.fromkeys(("a", "b", "out"), "*bf16") | dict.fromkeys(("M", "N"), "i32")
    signature |= dict.fromkeys(("BM", "BN"), "constexpr")
    source = compiler.ASTSource(fn=block_sum, signature=signature, constexprs={(5,): 32, (6,): 64})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = triton.compile(source, target=backends.GPUTarget("cuda", 90, 32)).asm["ptx"]
    rng = np.random.default_rng(0)
    rows, columns = 100, 136  # no multiples of the box
    a, b = (rng.integers(0, 8, (rows, columns)).astype(ml_dtypes.bfloat16) for _ in range(2))
    out = np.zeros_like(a)
    grid = (4, 3, 1)
    workspace = np.zeros(12 * 4096, np.uint8)
    for sanitize in (False, True):
        out[:] = 0
        Emulator(text).launch(
            "block_sum",
            grid=grid,
            block=128,
            args=[a, b, out, rows, columns, workspace, None],
            shared_bytes=64 << 10,
            sanitize=sanitize,
        )
        assert (out.astype(np.float32) == a.astype(np.float32) + b.astype(np.float32)).all()
