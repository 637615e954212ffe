"""Zip files of stored, aligned members: what lies under an artifact.

Any zip tool can list and unpack one. The reader accepts only what the writer makes: members stored one right behind the
other from the file's first byte, none compressed or encrypted, no name twice. So there is nothing to decompress
(no zip bombs), and no byte belongs to two members or to none.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from accelc.core.diagnostics import ArtifactError

PAGE = 4096
SMALL_ALIGNMENT = 64  # of members under a page: a cache line, and the widest vector
# PKWARE's APPNOTE.TXT, 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_DIRECTORY_ENTRY = struct.Struct("<4s6H3I5H2I")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_END_64_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")
_VERSION = 45  # of the zip format that is needed: 4.5 has the 64-bit fields
_UTF8 = 0x800
_EPOCH = (0, 0x21)  # time and date: midnight of 1980-01-01, always
_MAX_32 = 0xFFFFFFFF
_MAX_16 = 0xFFFF
# The header id under which Android's zipalign pads; tools know to skip it.
_PADDING_ID = 0xD935


@dataclass(frozen=True)
class Member:
    """What was written: size in bytes and SHA-256 as hexadecimal digits."""

    size: int
    sha256: str


class ArchiveWriter:
    """Writes members into a binary file, front to back."""

    def __init__(self, f: BinaryIO) -> None:
        self.members: dict[str, Member] = {}
        self._f = f
        self._at = 0
        self._directory: list[bytes] = []

    def add(self, name: str, data: memoryview) -> None:
        """Appends a member; its data starts at a multiple of `PAGE` (`SMALL_ALIGNMENT` if it is smaller)."""
        with ThreadPoolExecutor(1) as pool:
            # The two checksums of a large member take as long as writing it: one thread each.
            digest = pool.submit(lambda: hashlib.sha256(data).hexdigest())
            crc = zlib.crc32(data)
            offset, encoded, size = self._at, name.encode(), data.nbytes
            sizes = struct.pack("<2H2Q", 1, 16, size, size) if size >= _MAX_32 else b""
            start = offset + _LOCAL_HEADER.size + len(encoded) + len(sizes)
            extra = sizes + _padding(start, PAGE if size >= PAGE else SMALL_ALIGNMENT)
            short = min(size, _MAX_32)
            common = (_VERSION, _UTF8, 0, *_EPOCH, crc, short, short, len(encoded))
            self._write(_LOCAL_HEADER.pack(b"PK\3\4", *common, len(extra)) + encoded + extra)
            self._write(data)
            self._directory.append(_directory_entry(encoded, common, size, offset))
            self.members[name] = Member(size, digest.result())

    def close(self, comment: bytes) -> None:
        """Writes the directory. The file itself stays open."""
        directory, count, start = b"".join(self._directory), len(self._directory), self._at
        self._write(directory)
        if count >= _MAX_16 or start >= _MAX_32 or len(directory) >= _MAX_32:
            at = self._at
            self._write(
                _END_64.pack(b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, count, count, len(directory), start)
                + _END_64_LOCATOR.pack(b"PK\6\7", 0, at, 1)
            )
        n, size, offset = min(count, _MAX_16), min(len(directory), _MAX_32), min(start, _MAX_32)
        self._write(_END.pack(b"PK\5\6", 0, 0, n, n, size, offset, len(comment)) + comment)

    def _write(self, data: bytes | memoryview) -> None:
        self._f.write(data)
        self._at += len(data)


def _directory_entry(name: bytes, common: tuple[int, ...], size: int, offset: int) -> bytes:
    wide = ([size, size] if size >= _MAX_32 else []) + ([offset] if offset >= _MAX_32 else [])
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    made_by_unix, mode = (3 << 8) | _VERSION, 0o100644 << 16
    return (
        _DIRECTORY_ENTRY.pack(b"PK\1\2", made_by_unix, *common, len(extra), 0, 0, 0, mode, min(offset, _MAX_32))
        + name
        + extra
    )


def _padding(start: int, alignment: int) -> bytes:
    """An extra field that moves data from ``start`` to a multiple of ``alignment``; the least one has 4 bytes."""
    gap = -start % alignment
    if gap == 0:
        return b""
    if gap < 4:
        gap += alignment
    return struct.pack("<HH", _PADDING_ID, gap - 4) + bytes(gap - 4)


class Archive:
    """A memory-mapped archive. Raises ArtifactError on anything that `ArchiveWriter` does not write."""

    def __init__(self, path: Path) -> None:
        try:
            with open(path, "rb") as f:
                # Of an empty file there is no map.
                self._map = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
                self._members = self._layout(f)
        except OSError as error:
            raise ArtifactError(f"artifact '{path}' cannot be read: {error.strerror or error}") from None
        except ArtifactError as error:
            raise ArtifactError(f"artifact '{path}': {error.message}") from None
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise ArtifactError(f"artifact '{path}': not an artifact, or truncated ({error})") from None

    def _layout(self, f: BinaryIO) -> dict[str, tuple[int, int]]:
        with zipfile.ZipFile(f) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            directory = archive.start_dir
            self.comment = archive.comment
        if self._map[len(self._map) - len(self.comment) :] != self.comment:
            raise ArtifactError("there is something behind its end")
        members: dict[str, tuple[int, int]] = {}
        end = 0
        for info in infos:
            name = info.filename
            if (
                info.compress_type != zipfile.ZIP_STORED
                or info.flag_bits & ~0x800
                or info.compress_size != info.file_size
            ):
                raise ArtifactError(f"member '{name}' is compressed or encrypted")
            if name in members:
                raise ArtifactError(f"member '{name}' is there twice")
            if info.header_offset != end:
                raise ArtifactError(f"member '{name}' overlaps another, or leaves a gap")
            start = self._data_start(info)
            end = start + info.file_size
            if end > directory:
                raise ArtifactError(f"member '{name}' is larger than the file")
            if start % SMALL_ALIGNMENT:
                raise ArtifactError(f"member '{name}' is not aligned")
            members[name] = (start, info.file_size)
        if end != directory:
            raise ArtifactError("there is something between the last member and the directory")
        return members

    def _data_start(self, info: zipfile.ZipInfo) -> int:
        header = self._map[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
        magic, _, _, method, *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        name_at = info.header_offset + _LOCAL_HEADER.size
        name = self._map[name_at : name_at + name_length]
        if magic != b"PK\x03\x04" or method != zipfile.ZIP_STORED or name != info.filename.encode():
            raise ArtifactError(f"member '{info.filename}' has another header than the directory says")
        return int(name_at + name_length + extra_length)

    def names(self) -> list[str]:
        """Names of the members, in file order."""
        return list(self._members)

    def size(self, name: str) -> int:
        """Size of a member in bytes. Raises ArtifactError if there is none of that name."""
        return self._member(name)[1]

    def view(self, name: str) -> memoryview:
        """A read-only view of a member's bytes, in the map. Raises ArtifactError if there is none of that name."""
        start, size = self._member(name)
        return memoryview(self._map)[start : start + size]

    def _member(self, name: str) -> tuple[int, int]:
        if name not in self._members:
            raise ArtifactError(f"member '{name}' is missing")
        return self._members[name]
