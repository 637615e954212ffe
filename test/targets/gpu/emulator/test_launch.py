"""Launches that cannot be: each is refused before anything runs, with what would do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from accelc.targets.gpu.emulator import Emulator, LaunchError

PTX = """.version 8.6
.target sm_90a
.address_size 64
.visible .entry plain(.param .u64 p, .param .u32 n) { ret; }
.visible .entry pair() .reqnctapercluster 2, 1, 1 { ret; }
.visible .entry small() .maxntid 64, 1, 1 { ret; }
.visible .entry exact() .reqntid 32, 2, 1 { ret; }
"""

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("none", {}, "no kernel none"),
    ("plain", {"args": []}, "takes 2 arguments"),
    ("plain", {"args": [np.zeros(4), 1 << 32]}, "does not fit"),
    ("plain", {"args": [np.zeros((4, 4))[:, ::2], 1]}, "not contiguous"),
    ("plain", {"args": [1.5, 1]}, "a float for parameter"),
    ("plain", {"args": ["text", 1]}, "a str for parameter"),
    ("pair", {"grid": 3}, "no multiple of the cluster"),
    ("pair", {"grid": 4, "cluster": 4}, "wants clusters of (2, 1, 1)"),
    ("pair", {"grid": 64, "cluster": (2, 1, 0)}, "positive numbers"),
    ("small", {"block": 96}, "at most (64, 1, 1)"),
    ("small", {"block": (2048, 1, 1)}, "at most 1024"),
    ("small", {"block": (1, 1, 128)}, "64 in z"),
    ("exact", {"block": 64}, "wants blocks of (32, 2, 1)"),
    ("small", {"shared_bytes": 240 << 10}, "at most 232448"),
    ("small", {"grid": 100_000, "cooperative": True}, "does not fit"),
    ("small", {"grid": (1, 70_000, 1)}, "65535"),
    ("small", {"threads": 0}, "between 1 and 256"),
    ("small", {"max_steps": -1}, "max_steps"),
]


@pytest.mark.parametrize(("kernel", "options", "words"), REFUSED)
def test_refused(kernel: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(LaunchError) as caught:
        Emulator(PTX).launch(kernel, **options)
    assert words in str(caught.value)


def test_what_a_kernel_declares_is_the_default() -> None:
    emulator = Emulator(PTX)
    assert emulator.launch("pair", grid=4).findings == []
    assert emulator.launch("pair", grid=4, cluster=2).findings == []
    assert emulator.launch("exact", block=(32, 2)).counters.total.thread_instructions == 64
