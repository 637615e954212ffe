"""What memory requests are counted to cost, against figures worked out by hand and a model that looks at each word."""

from __future__ import annotations

from collections import defaultdict

import memory_kernels as mk
import numpy as np
import pytest
from numpy.typing import NDArray

from accelc.targets.gpu.emulator import Emulator

# One load and one store for each number of bytes a lane.
TYPES = {1: "b8", 2: "b16", 4: "b32", 8: "b64", 16: "v2.b64", 32: "v4.b64"}
REGISTERS = {1: "%h0", 2: "%h0", 4: "%r0", 8: "%d0", 16: "{%d0, %d1}", 32: "{%d0, %d1, %d2, %d3}"}
SPACE_BYTES = {"global": 1 << 16, "shared": 32768, "local": 2048, "const": 32768, "generic": 1 << 16}


def sizes(space: str) -> list[int]:
    """Bytes a lane may access at once in a space."""
    return [n for n in TYPES if n <= 16 or space in ("global", "generic")]


def instruction(opcode: str, space: str, nbytes: int) -> str:
    """Its name: the counters are found by it."""
    return ".".join([opcode, *([] if space == "generic" else [space]), TYPES[nbytes]])


def kernel(space: str) -> str:
    """Loads and stores of every size at at[lane] from the start of a space's memory, by the lanes that are active."""
    spot = {"shared": "area", "local": "lane", "const": "constants"}.get(space)
    lines = [
        f".const .align 32 .b8 constants[{SPACE_BYTES['const']}];" if space == "const" else "",
        ".visible .entry k(.param .u64 at, .param .u64 active, .param .u64 data, .param .u32 size) {",
        mk.REGISTERS,
        ".reg .pred %this; .reg .b32 %size;",
        f".shared .align 1024 .b8 area[{SPACE_BYTES['shared']}];" if space == "shared" else "",
        f".local .align 32 .b8 lane[{SPACE_BYTES['local']}];" if space == "local" else "",
        "mov.u32 %tid, %tid.x; mul.wide.u32 %offset64, %tid, 4; ld.param.u32 %size, [size];",
        "ld.param.u64 %p, [active]; add.u64 %p, %p, %offset64; ld.weak.global.u32 %mask, [%p];",
        "setp.ne.u32 %active, %mask, 0;",
        "ld.param.u64 %p, [at]; add.u64 %p, %p, %offset64; ld.weak.global.u32 %offset, [%p];",
        f"mov.u64 %base, {spot};" if spot else "ld.param.u64 %base, [data];",
        "cvt.u64.u32 %at, %offset; add.u64 %at, %at, %base;",
    ]
    for n in sizes(space):
        lines.append(f"setp.eq.and.u32 %this, %size, {n}, %active;")
        lines.append(f"@%this {instruction('ld', space, n)} {REGISTERS[n]}, [%at];")
        if space != "const":
            lines.append(f"@%this {instruction('st', space, n)} [%at], {REGISTERS[n]};")
    return mk.HEADER.format(arch="sm_90a") + "\n".join(lines) + "\nret;\n}\n"


class Counting:
    """A kernel of one space, and what its instructions are counted."""

    def __init__(self, space: str) -> None:
        self.space = space
        self.emulator = Emulator(kernel(space))
        self.data = np.zeros(SPACE_BYTES[space] + 256, np.uint8)

    def run(self, nbytes: int, at: NDArray[np.int64], active: NDArray[np.bool_]) -> list[dict[str, int]]:
        """Counters of the load and, where there is one, the store of `nbytes`."""
        args = [at.astype(np.uint32), active.astype(np.uint32), self.data, nbytes]
        counters = self.emulator.launch("k", block=32, args=args).counters
        rows = []
        for opcode in ("ld", "st") if self.space != "const" else ("ld",):
            name = counters.opcodes.index(instruction(opcode, self.space, nbytes))
            row = counters.rows[counters.column("opcode") == name]
            assert len(row) == 1
            keys = ("requests", "bytes", "sectors", "wavefronts", "ideal")
            rows.append({key: int(counters.column(key)[counters.column("opcode") == name][0]) for key in keys})
        return rows


@pytest.fixture(scope="module", params=SPACE_BYTES)
def counting(request: pytest.FixtureRequest) -> Counting:
    """Each space in turn."""
    return Counting(request.param)


def model(space: str, nbytes: int, at: NDArray[np.int64], active: NDArray[np.bool_]) -> dict[str, int]:
    """The same from each lane's bytes and words. Memory begins at a multiple of 256 bytes."""
    lanes = [int(k) for k in np.flatnonzero(active)]
    result = {"requests": int(bool(lanes)), "bytes": nbytes * len(lanes), "sectors": 0, "wavefronts": 0, "ideal": 0}
    if space == "shared":
        group = max(1, min(32, 128 // nbytes))
        for first in range(0, 32, group):
            banks: dict[int, set[int]] = defaultdict(set)
            for lane in lanes:
                if first <= lane < first + group:
                    for byte in range(int(at[lane]), int(at[lane]) + nbytes):
                        banks[byte // 4 % 32].add(byte // 4)
            result["wavefronts"] += max((len(words) for words in banks.values()), default=0)
            result["ideal"] += bool(banks)
    elif space == "local":
        # The same word of 32 lanes lies side by side; a request goes word by word.
        for word in range((nbytes + 3) // 4):
            places = {((int(at[lane]) // 4 + word) * 32 + lane) * 4 // 32 for lane in lanes}
            result["sectors"] += len(places)
    else:
        result["sectors"] = len({byte // 32 for lane in lanes for byte in range(int(at[lane]), int(at[lane]) + nbytes)})
    return result


def random_pattern(rng: np.random.Generator, room: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(units [32], active [32]): strides, permutations, repeats and wide scatter, with all lanes or some."""
    lanes = np.arange(32)
    match rng.integers(0, 7):
        case 0:
            units = lanes * int(rng.integers(0, 70)) + int(rng.integers(0, 9))
        case 1:
            units = rng.permutation(32) + int(rng.integers(0, 9))
        case 2:
            units = rng.integers(0, int(rng.integers(1, 40)), 32)
        case 3:
            units = rng.integers(0, room, 32)
        case 4:
            units = lanes // int(rng.integers(1, 33)) * int(rng.integers(0, 40))
        case 5:
            units = lanes ^ int(rng.integers(0, 32))
        case _:
            units = (lanes[::-1] * int(rng.integers(0, 5))).copy()
    match rng.integers(0, 4):
        case 0:
            active = rng.random(32) < rng.random()
        case 1:
            low, high = sorted(int(v) for v in rng.integers(0, 33, 2))
            active = (lanes >= low) & (lanes < high)
        case _:
            active = np.ones(32, bool)
    return units % room, active


def test_random_requests(counting: Counting) -> None:
    """Against the model."""
    rng = np.random.default_rng(13)
    for _ in range(250):
        nbytes = int(rng.choice(sizes(counting.space)))
        units, active = random_pattern(rng, SPACE_BYTES[counting.space] // nbytes)
        at = units * nbytes
        want = model(counting.space, nbytes, at, active)
        for row in counting.run(nbytes, at, active):
            assert row == want, (counting.space, nbytes, at.tolist(), np.flatnonzero(active).tolist())


LANES = np.arange(32)
ALL = np.ones(32, bool)


@pytest.mark.parametrize(
    ("nbytes", "at", "sectors"),
    [
        (4, LANES * 4, 4),  # one line of 128 bytes
        (4, LANES * 4 + 4, 5),  # the same, one word on
        (4, LANES * 8, 8),
        (4, LANES * 32, 32),
        (4, LANES * 0, 1),
        (1, LANES, 1),
        (2, LANES * 2 + 2, 3),
        (8, LANES * 8, 8),
        (16, LANES * 16, 16),
        (32, LANES * 32, 32),
        (4, (31 - LANES) * 4, 4),  # backwards
        (4, LANES % 2 * 4096, 2),  # two places
    ],
)
def test_sectors_of_global_memory(nbytes: int, at: NDArray[np.int64], sectors: int) -> None:
    for row in Counting("global").run(nbytes, at, ALL):
        assert row == {"requests": 1, "bytes": 32 * nbytes, "sectors": sectors, "wavefronts": 0, "ideal": 0}


@pytest.mark.parametrize(
    ("nbytes", "at", "wavefronts", "ideal"),
    [
        (4, LANES * 4, 1, 1),
        (4, LANES * 8, 2, 1),  # every other bank
        (4, LANES * 128, 32, 1),  # one bank
        (4, LANES * 132, 1, 1),  # rows padded by a word
        (4, LANES * 0, 1, 1),  # one word for all
        (4, LANES % 2 * 128, 2, 1),  # two words of one bank
        (1, LANES, 1, 1),  # four lanes a word
        (1, LANES * 4, 1, 1),
        (2, LANES * 2 + 64, 1, 1),
        (8, LANES * 8, 2, 2),  # half-warps
        (8, LANES * 16, 4, 2),
        (8, LANES * 0, 2, 2),
        (16, LANES * 16, 4, 4),  # quarter-warps
        (16, LANES * 128, 32, 4),
        (16, LANES * 144, 4, 4),  # rows padded by 16 bytes
    ],
)
def test_passes_of_shared_memory(nbytes: int, at: NDArray[np.int64], wavefronts: int, ideal: int) -> None:
    for row in Counting("shared").run(nbytes, at, ALL):
        assert row == {"requests": 1, "bytes": 32 * nbytes, "sectors": 0, "wavefronts": wavefronts, "ideal": ideal}


def test_local_memory_is_woven() -> None:
    """The same word of all lanes is one line; lanes at different words are apart."""
    counting = Counting("local")
    assert counting.run(4, LANES * 0, ALL)[0]["sectors"] == 4
    assert counting.run(16, LANES * 0, ALL)[0]["sectors"] == 16
    assert counting.run(4, LANES * 4, ALL)[0]["sectors"] == 32


SPREAD = """.visible .entry k(.param .u64 data) {
    .reg .pred %p; .reg .b32 %tid, %r0; .reg .b64 %data, %at, %area;
    .shared .align 128 .b8 area[128];
    ld.param.u64 %data, [data]; mov.u32 %tid, %tid.x; mul.wide.u32 %at, %tid, 4; add.u64 %data, %data, %at;
    mov.u64 %area, area; cvta.shared.u64 %area, %area; add.u64 %area, %area, %at;
    setp.lt.u32 %p, %tid, 8; selp.b64 %at, %data, %area, %p;
    st.u32 [%at], %tid;
    red.add.u32 [%at], 1;
    ret;
}
"""


def test_lanes_of_one_request_in_two_spaces() -> None:
    """Eight lanes in global memory are a sector, the others one pass of shared memory; a reduction is one access."""
    data = np.zeros(64, np.uint32)
    counters = Emulator(mk.HEADER.format(arch="sm_90a") + SPREAD).launch("k", block=32, args=[data]).counters
    for name in ("st.u32", "red.add.u32"):
        chosen = counters.column("opcode") == counters.opcodes.index(name)
        row = {
            key: int(counters.column(key)[chosen][0]) for key in ("requests", "bytes", "sectors", "wavefronts", "ideal")
        }
        assert row == {"requests": 1, "bytes": 128, "sectors": 1, "wavefronts": 1, "ideal": 1}
    np.testing.assert_array_equal(data[:9], [*np.arange(1, 9), 0])
