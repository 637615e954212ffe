"""The cache: hits, damage, eviction by use, and processes that share it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from accelc.core import cache as cache_module
from accelc.core.cache import Cache, compiler_fingerprint, open_cache, source_state
from accelc.core.diagnostics import UsageError
from accelc.core.target import KernelCode

CODE = KernelCode("entry", b"\x00code\xff" * 100, {"tiles": 4, "names": ["a"]})


def test_a_kernel_comes_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1 << 20)
    key = cache.key("kernel", {"target": "host"}, "module {}")
    assert cache.get_kernel(key) is None
    cache.put_kernel(key, CODE)
    assert cache.get_kernel(key) == CODE


def test_keys_tell_everything_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, 1 << 20)
    key = cache.key("kernel", {"a": 1, "b": 2}, "text")
    assert cache.key("kernel", {"b": 2, "a": 1}, "text") == key
    others = {cache.key("model", {"a": 1, "b": 2}, "text"), cache.key("kernel", {"a": 1}, "text")}
    others |= {cache.key("kernel", {"a": 1, "b": 2}, "text2")}
    monkeypatch.setattr(cache_module, "compiler_fingerprint", lambda: "another compiler")
    others |= {cache.key("kernel", {"a": 1, "b": 2}, "text")}
    assert len(others) == 4
    assert key not in others


@pytest.mark.parametrize("damage", [b"", b"x" * 10, b"x" * 1000])
def test_a_damaged_entry_is_a_miss(tmp_path: Path, damage: bytes) -> None:
    cache = Cache(tmp_path, 1 << 20)
    cache.put_kernel("ab12", CODE)
    path = cache.find("ab12")
    assert path is not None
    path.write_bytes(damage)
    assert cache.get_kernel("ab12") is None
    assert cache.find("ab12") is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 10_000)
    for i in range(5):
        path = cache.add(f"{i:02}key", lambda p: _fill(p, 1900))
        assert path is not None
        os.utime(path, (1000 + i, 1000 + i))
    assert cache.find("00key") is not None
    cache.add("05key", lambda p: _fill(p, 1900))
    kept = [i for i in range(6) if (cache.root / f"{i:02}" / "key").exists()]
    assert kept == [0, 3, 4, 5]


def test_an_entry_over_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    assert cache.add("abc", lambda p: _fill(p, 2000)) is None
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file", 1000)
    assert cache.add("abc", lambda p: _fill(p, 1)) is None
    assert cache.get_kernel("abc") is None
    cache.put_kernel("abc", CODE)
    cache.evict()


def test_a_failing_write_leaves_nothing(tmp_path: Path) -> None:
    def disk_full(path: Path) -> None:
        _fill(path, 10)
        raise UsageError("cannot write: No space left on device")

    cache = Cache(tmp_path, 1000)
    assert cache.add("abc", disk_full) is None
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_what_broken_processes_left_goes_in_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    stale, fresh = cache.root / "tmp-old", cache.root / "tmp-new"
    for folder in (stale, fresh):
        folder.mkdir(parents=True)
    os.utime(stale, (1000, 1000))
    cache.evict()
    assert not stale.exists()
    assert fresh.exists()


def test_processes_share_it(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from accelc.core.cache import Cache
from accelc.core.target import KernelCode
cache = Cache(Path(sys.argv[1]), 40_000)
for round in range(3):
    for i in range(60):
        key = f"{i:02}k"
        code = KernelCode("k", bytes([i]) * 1000, {"i": i})
        found = cache.get_kernel(key)
        assert found is None or found == code
        cache.put_kernel(key, code)
        if i % 10 == 0:
            cache.evict()
"""
    processes = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]
    assert [p.wait(60) for p in processes] == [0, 0, 0]


def test_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELC_CACHE_DIR", str(tmp_path / "c"))
    monkeypatch.setenv("ACCELC_CACHE_LIMIT_MIB", "7")
    cache = open_cache()
    assert cache is not None
    assert (cache.root.parent, cache.limit_bytes) == (tmp_path / "c", 7 << 20)
    monkeypatch.setenv("ACCELC_CACHE", "0")
    assert open_cache() is None


def test_an_edit_is_another_compiler(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "notes.txt").write_text("x")
    before = source_state(tmp_path)
    (tmp_path / "notes.txt").write_text("xyz")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.py").write_text("x")
    assert source_state(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2")
    os.utime(tmp_path / "a.py", ns=(1, 1))
    assert source_state(tmp_path) != before
    assert len(compiler_fingerprint()) == 64


def _fill(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
