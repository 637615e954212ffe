"""The artifact: a compiled model as one file, ``model.accelc``.

A zip whose members are stored uncompressed and aligned, so that constants are used where they lie in a memory map.
`docs/artifact.md` describes the format. Whatever a file holds, reading it runs nothing and allocates no more than
the file's own size; anything unsound is an `ArtifactError`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from accelc.core.archive import Archive, ArchiveWriter
from accelc.core.compiled import CompiledModel
from accelc.core.diagnostics import ArtifactError, InternalError
from accelc.core.files import atomic_write
from accelc.core.plan import DTYPES, Plan
from accelc.core.target import KernelCode

Array = np.ndarray[Any, Any]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 1 << 28
_MAX_RANK = 32
_NAME = re.compile(r"[A-Za-z0-9_.$-]{1,200}")
_COMMENT = re.compile(rb"accelc artifact (\d{1,9}) sha256 ([0-9a-f]{64})")
# The first name of a dtype counts: "si8" before "i8", whose bits are the same.
_DTYPE_NAMES = {dtype: name for name, dtype in reversed(DTYPES.items())}


def save_model(path: str | Path, model: CompiledModel) -> None:
    """Writes ``model`` as an artifact: to a temporary file, then renamed.

    The same model gives the same bytes. Raises UsageError if the file cannot be written.
    """
    write_artifact(path, model, model.constants.items())


def write_artifact(path: str | Path, model: CompiledModel, constants: Iterable[tuple[str, Array]]) -> None:
    """As `save_model`, with the constants streamed from an iterator of (name, array); `model.constants` is not read.

    One constant is held at a time.
    """
    with atomic_write(path) as f:
        _write(f, model, constants)


def open_model(path: str | Path, *, verify_constants: bool = True) -> CompiledModel:
    """Opens an artifact. Its constants are maps into the file.

    Args:
        path: the file.
        verify_constants: whether the constants' hashes are checked too (about 0.25 s for 440 MB); everything
            else always is.

    Raises:
        ArtifactError: not an artifact, another format version, corrupt, or inconsistent.
    """
    archive = Archive(Path(path))
    try:
        return _read(archive, verify_constants)
    except ArtifactError as error:
        raise ArtifactError(f"artifact '{path}': {error.message}", notes=error.notes) from None


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest as JSON, with its hash checked. Raises ArtifactError."""
    try:
        return _manifest(Archive(Path(path)))
    except ArtifactError as error:
        raise ArtifactError(f"artifact '{path}': {error.message}", notes=error.notes) from None


def is_artifact(path: str | Path) -> bool:
    """Whether a file looks like an artifact: a zip, however damaged."""
    try:
        with open(path, "rb") as f:
            return f.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _write(f: BinaryIO, model: CompiledModel, constants: Iterable[tuple[str, Array]]) -> None:
    from accelc import __version__

    writer = ArchiveWriter(f)
    kernels: dict[str, Any] = {}
    for name, code in model.code.items():
        if not _NAME.fullmatch(name):
            raise InternalError(f"kernel name '{name}' cannot be a member's name")
        writer.add(f"code/{name}", memoryview(code.data))
        kernels[name] = {"member": f"code/{name}", "symbol": code.symbol, "meta": dict(code.meta)}
    table: dict[str, Any] = {}
    for name, array in constants:
        if name in table:
            raise InternalError(f"constant '{name}' is written twice")
        if array.dtype not in _DTYPE_NAMES:
            raise InternalError(f"constant '{name}' has the type {array.dtype}, which artifacts cannot hold")
        member = f"constants/{len(table):06d}"
        # A byte view: ml_dtypes' types have no buffer format of their own. Rank 0 has no bytes to view either.
        flat: Any = np.ascontiguousarray(array).reshape(-1)
        writer.add(member, memoryview(flat.view(np.uint8)) if flat.size else memoryview(b""))
        table[name] = {"member": member, "dtype": _DTYPE_NAMES[array.dtype], "shape": list(array.shape)}
    manifest = {
        "format": FORMAT_VERSION,
        "accelc": __version__,
        "target": model.target,
        "machine": dict(model.machine),
        "options": dict(model.options),
        "plan": model.plan.to_json(),
        "kernels": kernels,
        "constants": table,
        "members": {name: {"bytes": m.size, "sha256": m.sha256} for name, m in writer.members.items()},
        "stats": dict(model.stats),
    }
    text = json.dumps(manifest, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    writer.add(MANIFEST, memoryview(text))
    # The manifest vouches for the members, and the comment for the manifest.
    digest = writer.members[MANIFEST].sha256
    writer.close(f"accelc artifact {FORMAT_VERSION} sha256 {digest}".encode())


def _manifest(archive: Archive) -> dict[str, Any]:
    comment = _COMMENT.fullmatch(archive.comment)
    if comment is None:
        raise ArtifactError("not an accelc artifact, or damaged (its end is not as accelc writes it)")
    if int(comment[1]) != FORMAT_VERSION:
        raise ArtifactError(
            f"its format is version {int(comment[1])}; this accelc reads version {FORMAT_VERSION}",
            notes=("compile the model again with this version of accelc",),
        )
    if archive.size(MANIFEST) > _MAX_MANIFEST_BYTES:
        raise ArtifactError("its manifest is too large")
    text = bytes(archive.view(MANIFEST))
    if hashlib.sha256(text).hexdigest() != comment[2].decode():
        raise ArtifactError("damaged: the manifest does not match its hash")
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"the manifest is not JSON: {error}") from None
    return _dict(manifest, "the manifest")


def _read(archive: Archive, verify_constants: bool) -> CompiledModel:
    manifest = _manifest(archive)
    members = _dict(manifest.get("members"), "members")
    if set(members) != set(archive.names()) - {MANIFEST}:
        raise ArtifactError("the members of the file are not those of its manifest")
    for name, member in members.items():
        if _dict(member, f"member '{name}'").get("bytes") != archive.size(name):
            raise ArtifactError(f"member '{name}' does not have the size that the manifest states")
    constants = _Constants(archive, _dict(manifest.get("constants"), "constants"))
    code = _code(archive, _dict(manifest.get("kernels"), "kernels"))
    wanted = [name for name in members if verify_constants or not name.startswith("constants/")]
    _verify(archive, {name: members[name].get("sha256") for name in wanted})
    plan = Plan.from_json(manifest.get("plan"))
    _check_plan(plan, code, constants)
    return CompiledModel(
        target=_str(manifest.get("target"), "target"),
        machine=_dict(manifest.get("machine"), "machine"),
        options=_dict(manifest.get("options"), "options"),
        plan=plan,
        code=code,
        constants=constants,
        stats=_dict(manifest.get("stats"), "stats"),
    )


def _code(archive: Archive, kernels: dict[str, Any]) -> dict[str, KernelCode]:
    code: dict[str, KernelCode] = {}
    for name, entry in kernels.items():
        entry = _dict(entry, f"kernel '{name}'")
        if entry.get("member") != f"code/{name}":
            raise ArtifactError(f"kernel '{name}' names a member that is not its own")
        code[name] = KernelCode(
            symbol=_str(entry.get("symbol"), f"kernel '{name}': symbol"),
            data=bytes(archive.view(f"code/{name}")),
            meta=_dict(entry.get("meta"), f"kernel '{name}': meta"),
        )
    return code


def _verify(archive: Archive, expected: Mapping[str, Any]) -> None:
    def matches(item: tuple[str, Any]) -> bool:
        name, expected_digest = item
        return bool(hashlib.sha256(archive.view(name)).hexdigest() == expected_digest)

    # hashlib lets go of the interpreter lock, so two threads halve the time for large models.
    with ThreadPoolExecutor(2) as pool:
        for (name, _), ok in zip(expected.items(), pool.map(matches, expected.items()), strict=True):
            if not ok:
                raise ArtifactError(f"damaged: member '{name}' does not match its hash")


def _check_plan(plan: Plan, code: Mapping[str, KernelCode], constants: _Constants) -> None:
    for i, launch in enumerate(plan.launches):
        if launch.kernel not in code:
            raise ArtifactError(f"launch {i} of the plan runs kernel '{launch.kernel}', which is not in the file")
    for i, buffer in enumerate(plan.buffers):
        if buffer.kind == "constant" and constants.nbytes(buffer.ref) != buffer.nbytes:
            raise ArtifactError(f"plan buffer {i} does not fit constant '{buffer.ref}'")


class _Constants(Mapping[str, Array]):
    """The constants by name, as read-only arrays over the file's map."""

    def __init__(self, archive: Archive, table: dict[str, Any]) -> None:
        self._archive = archive
        self._entries: dict[str, tuple[str, np.dtype[Any], tuple[int, ...]]] = {}
        for name, entry in table.items():
            entry = _dict(entry, f"constant '{name}'")
            member = _str(entry.get("member"), f"constant '{name}': member")
            dtype, shape = entry.get("dtype"), entry.get("shape")
            if not isinstance(dtype, str) or dtype not in DTYPES:
                raise ArtifactError(f"constant '{name}' has the unknown type {dtype!r}")
            if (
                not isinstance(shape, list)
                or len(shape) > _MAX_RANK
                or not all(type(d) is int and d >= 0 for d in shape)
            ):
                raise ArtifactError(f"constant '{name}' has no valid shape")
            self._entries[name] = (member, DTYPES[dtype], tuple(shape))
            if not member.startswith("constants/") or archive.size(member) != self.nbytes(name):
                raise ArtifactError(f"constant '{name}' does not have the size of its member '{member}'")

    def __getitem__(self, name: str) -> Array:
        member, dtype, shape = self._entries[name]
        return np.frombuffer(self._archive.view(member), dtype).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def nbytes(self, name: str) -> int:
        """Size in bytes; -1 where there is no such constant."""
        if name not in self._entries:
            return -1
        _, dtype, shape = self._entries[name]
        size = dtype.itemsize
        for d in shape:
            size *= d
        return size


def _dict(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArtifactError(f"the manifest is malformed: {what} is not a table")
    return value


def _str(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ArtifactError(f"the manifest is malformed: {what} is not a text")
    return value
