"""The artifact: round trip, determinism, and that no archive, however hostile, does more than raise ArtifactError."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accelc.core import archive
from accelc.core.archive import ArchiveWriter
from accelc.core.artifact import is_artifact, open_model, read_manifest, save_model, write_artifact
from accelc.core.compiled import CompiledModel
from accelc.core.diagnostics import ArtifactError, InternalError, UsageError
from accelc.core.plan import Buffer, Launch, Plan, TensorSpec
from accelc.core.target import KernelCode


def make_model() -> CompiledModel:
    rng = np.random.default_rng(0)
    plan = Plan(
        inputs=(TensorSpec("x", "f32", (4,)),),
        outputs=(TensorSpec("y", "f32", (4,)),),
        buffers=(Buffer("input", "f32", (4,)), Buffer("output", "f32", (4,)), Buffer("constant", "f32", (), ref="s")),
        steps=(Launch("k0", (0, 2), (1,), "target", ("node 1", "node 2")),),
        arena_bytes=0,
    )
    constants: dict[str, np.ndarray[Any, Any]] = {
        "s": np.array(3.0, np.float32),
        "weird/../name\n": rng.normal(size=(70, 33)).astype(np.float32),
        "bf": np.ones((3, 5), ml_dtypes.bfloat16),
        "f8": np.ones((7,), ml_dtypes.float8_e4m3fn),
        "empty": np.zeros((0, 4), np.int64),
        "bool": np.array([True, False]),
        "strided": rng.normal(size=(5, 6)).astype(np.float32).T,
    }
    code = {"k0": KernelCode("entry", b"\x7fELF code", {"tiles": 3, "device": "target"})}
    return CompiledModel("host", {"name": "m"}, {"precision": "fast"}, plan, code, constants, {"compile_s": 1.5})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m.accelc"
    save_model(path, make_model())
    return path


def test_round_trip(saved: Path) -> None:
    model, back = make_model(), open_model(saved)
    assert (back.target, back.machine, back.options, back.plan, back.code, back.stats) == (
        model.target, model.machine, model.options, model.plan, model.code, model.stats,
    )  # fmt: skip
    assert list(back.constants) == list(model.constants)
    for name, array in model.constants.items():
        got = back.constants[name]
        assert (got.dtype, got.shape, got.tobytes()) == (
            array.dtype,
            array.shape,
            np.ascontiguousarray(array).tobytes(),
        )
        assert not got.flags.writeable
        assert got.size == 0 or got.ctypes.data % 64 == 0
    assert back.constants["weird/../name\n"].ctypes.data % 4096 == 0
    with pytest.raises(KeyError):
        back.constants["nope"]


def test_same_model_same_bytes(saved: Path, tmp_path: Path) -> None:
    write_artifact(tmp_path / "n.accelc", make_model(), iter(make_model().constants.items()))
    assert (tmp_path / "n.accelc").read_bytes() == saved.read_bytes()


def test_it_is_an_ordinary_zip(saved: Path) -> None:
    with zipfile.ZipFile(saved) as z:
        assert z.testzip() is None
        assert json.loads(z.read("manifest.json"))["target"] == "host"
        assert z.read("code/k0") == b"\x7fELF code"


def test_manifest_and_detection(saved: Path, tmp_path: Path) -> None:
    assert read_manifest(saved)["kernels"]["k0"]["meta"]["tiles"] == 3
    assert is_artifact(saved)
    assert not is_artifact(tmp_path / "nope")
    (tmp_path / "onnx").write_bytes(b"\x08\x0a\x12")
    assert not is_artifact(tmp_path / "onnx")


def test_zip64_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if every size and count were over the 32-bit and 16-bit limits.
    monkeypatch.setattr(archive, "_MAX_32", 100)
    monkeypatch.setattr(archive, "_MAX_16", 2)
    buffer = io.BytesIO()
    writer = ArchiveWriter(buffer)
    for i in range(4):
        writer.add(f"m{i}", memoryview(bytes([i]) * (i * 3000)))
    writer.close(b"")
    # The marker that zip readers know is all ones.
    data = buffer.getvalue()
    for short in (100, 2):
        wide = 4 if short == 100 else 2
        data = data.replace(short.to_bytes(wide, "little"), b"\xff" * wide) if short == 100 else data
    end = bytearray(data)
    at = end.rindex(b"PK\x05\x06")
    end[at + 8 : at + 12] = b"\xff" * 4
    with zipfile.ZipFile(io.BytesIO(bytes(end))) as z:
        assert [z.read(f"m{i}") for i in range(4)] == [bytes([i]) * (i * 3000) for i in range(4)]


def test_a_missing_file_and_wrong_kinds(tmp_path: Path) -> None:
    for content in (b"", b"PK", b"hello" * 1000, b"PK\x05\x06" + bytes(18)):
        path = tmp_path / "x"
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match="artifact"):
            open_model(path)
    with pytest.raises(ArtifactError, match="No such file"):
        open_model(tmp_path / "nope")
    with pytest.raises(ArtifactError, match="cannot be read"):
        open_model(tmp_path)


def test_truncation_anywhere(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    for length in [*range(0, len(data), 997), len(data) - 1]:
        (tmp_path / "t").write_bytes(data[:length])
        with pytest.raises(ArtifactError):
            open_model(tmp_path / "t")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_flipped_byte_goes_unseen_or_crashes(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(saved.read_bytes())
    # Padding, and fields of the directory that nothing uses (times, checksums of zip), may change unnoticed.
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    (tmp_path / "f").write_bytes(bytes(content))
    try:
        back = open_model(tmp_path / "f")
    except ArtifactError:
        return
    model = make_model()
    assert (back.plan, back.code) == (model.plan, model.code)
    for name, array in model.constants.items():
        assert back.constants[name].tobytes() == np.ascontiguousarray(array).tobytes()


def test_damaged_constants_are_found_unless_told_not_to_look(saved: Path) -> None:
    content = saved.read_bytes()
    at = content.index(make_model().constants["weird/../name\n"].tobytes())
    saved.write_bytes(content[: at + 10] + b"xyz" + content[at + 13 :])
    with pytest.raises(ArtifactError, match="member 'constants/000001' does not match its hash"):
        open_model(saved)
    open_model(saved, verify_constants=False)


def rebuild(path: Path, change: Any, members: dict[str, bytes] | None = None) -> None:
    """Writes the artifact again with a changed manifest whose hashes are right: only its content is hostile."""
    with zipfile.ZipFile(path) as z:
        content = {n: z.read(n) for n in z.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    content.update(members or {})
    change(manifest)
    text = json.dumps(manifest).encode() if not isinstance(manifest.get("raw"), str) else manifest["raw"].encode()
    buffer = io.BytesIO()
    writer = ArchiveWriter(buffer)
    for name, data in content.items():
        writer.add(name, memoryview(data))
    writer.add("manifest.json", memoryview(text))
    writer.close(f"accelc artifact 1 sha256 {writer.members['manifest.json'].sha256}".encode())
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(raw="[" * 100000),
        lambda m: m.update(raw="[]"),
        lambda m: m.update(raw='{"plan": ' + "9" * 5000 + "}"),
        lambda m: m.clear(),
        lambda m: m.pop("plan"),
        lambda m: m.update(plan=[]),
        lambda m: m["plan"]["buffers"][0].update(shape=[2**62, 2**62]),
        lambda m: m["plan"]["buffers"][2].update(ref="nope"),
        lambda m: m["plan"]["steps"][0].update(kernel="nope"),
        lambda m: m["plan"]["steps"][0].update(inputs=[99]),
        lambda m: m["constants"]["s"].update(shape=[-1]),
        lambda m: m["constants"]["s"].update(shape=[1] * 1000),
        lambda m: m["constants"]["s"].update(shape=[1e9]),
        lambda m: m["constants"]["s"].update(shape="x"),
        lambda m: m["constants"]["s"].update(shape=[2**62, 4]),
        lambda m: m["constants"]["s"].update(dtype="object"),
        lambda m: m["constants"]["s"].update(dtype=["f32"]),
        lambda m: m["constants"]["s"].update(member="../../etc/passwd"),
        lambda m: m["constants"]["s"].update(member="manifest.json"),
        lambda m: m["constants"].update(t=7),
        lambda m: m["kernels"]["k0"].update(member="constants/000000"),
        lambda m: m["kernels"]["k0"].update(symbol=None),
        lambda m: m["kernels"].update(k1={"member": "code/k1", "symbol": "s", "meta": {}}),
        lambda m: m["members"].update({"code/zz": {"bytes": 1, "sha256": ""}}),
        lambda m: m["members"]["code/k0"].update(bytes=2**70),
        lambda m: m["members"]["code/k0"].update(sha256=None),
        lambda m: m["members"].pop("code/k0"),
        lambda m: m.update(target=3),
        lambda m: m.update(machine=3),
    ],
)
def test_hostile_manifests(saved: Path, change: Any) -> None:
    rebuild(saved, lambda m: None)
    open_model(saved)
    rebuild(saved, change)
    with pytest.raises(ArtifactError) as caught:
        open_model(saved)
    assert str(saved) in str(caught.value)


def test_hostile_zips(saved: Path, tmp_path: Path) -> None:
    original = saved.read_bytes()

    def refused(data: bytes, match: str) -> None:
        (tmp_path / "h").write_bytes(data)
        with pytest.raises(ArtifactError, match=match):
            open_model(tmp_path / "h")

    # Stray bytes in front, or between the members and the directory.
    refused(b"junk" * 16 + original, "overlaps another, or leaves a gap|header")
    # A member that is not in the manifest; a path that climbs out is only a name like any other, and refused.
    rebuild(saved, lambda m: None, {"../../evil": b"x"})
    refused(saved.read_bytes(), "are not those of its manifest")
    # A compressed member: what a zip bomb needs.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a", bytes(1 << 20))
    refused(buffer.getvalue(), "compressed")
    # A name that is there twice.
    buffer = io.BytesIO()
    writer = ArchiveWriter(buffer)
    for _ in range(2):
        writer.add("a", memoryview(b"x"))
    writer.close(b"")
    refused(buffer.getvalue(), "twice")
    # Two directory entries for the same bytes.
    at = original.index(b"PK\x01\x02", original.rindex(b"constants/000000") - 60)
    entry_length = 46 + struct.unpack_from("<H", original, at + 28)[0]
    following = original[at + entry_length :]
    overlapping = bytearray(following)
    struct.pack_into("<I", overlapping, 42, struct.unpack_from("<I", original, at + 42)[0])
    refused(original[: at + entry_length] + bytes(overlapping), "artifact")
    # An absurd size of the directory.
    end = bytearray(original)
    struct.pack_into("<I", end, end.rindex(b"PK\x05\x06") + 12, 0xFFFFFFF0)
    refused(bytes(end), "artifact")


def test_another_format_version(saved: Path) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data.replace(b"accelc artifact 1 ", b"accelc artifact 2 "))
    with pytest.raises(ArtifactError, match="format is version 2; this accelc reads version 1"):
        open_model(saved)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    model = make_model()
    with pytest.raises(InternalError, match="which artifacts cannot hold"):
        save_model(tmp_path / "x", replace(model, constants={"c": np.zeros(3, np.complex64)}))
    with pytest.raises(InternalError, match="written twice"):
        write_artifact(tmp_path / "x", model, iter([("a", np.zeros(3)), ("a", np.zeros(3))]))
    with pytest.raises(UsageError, match="cannot write"):
        save_model(tmp_path / "no" / "such" / "folder", model)
    with pytest.raises(UsageError, match="it is a folder"):
        save_model(tmp_path, model)
    assert list(tmp_path.iterdir()) == []


def _limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    script = """
import sys, numpy as np
sys.path.insert(0, sys.argv[2])
from test_artifact import make_model
from dataclasses import replace
from accelc.core.artifact import save_model
from accelc.core.diagnostics import UsageError
try:
    save_model(sys.argv[1], replace(make_model(), constants={"big": np.zeros(1 << 20, np.float32)}))
except UsageError as error:
    print(error)
"""
    old = b"an older artifact"
    (tmp_path / "m.accelc").write_bytes(old)
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "m.accelc"), os.path.dirname(__file__)],
        preexec_fn=_limit_file_size, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "cannot write" in result.stdout
    assert result.stderr == ""
    assert [p.name for p in tmp_path.iterdir()] == ["m.accelc"]
    assert (tmp_path / "m.accelc").read_bytes() == old


def test_reading_needs_neither_mlir_nor_pydantic(saved: Path) -> None:
    script = f"""
import sys
from accelc.core.artifact import open_model
open_model({str(saved)!r})
bad = [m for m in sys.modules if m.split(".")[0] in ("torch_mlir", "mlir", "llvmlite", "pydantic", "onnx", "typer")]
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", script], check=True)
