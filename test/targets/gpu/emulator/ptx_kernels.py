"""One PTX instruction, or a few, over whole numpy arrays: what the tests of single instructions are made of.

    kernel = Kernel("add.s32 %d, %a, %b;", inputs={"a": "s32", "b": "s32"}, outputs={"d": "s32"})
    result = kernel.run(a=x, b=y)["d"]

Each thread loads its element of every input into the register of that name, runs the text, and stores the registers
that are outputs. Names are the caller's; in the text they stand behind a `%`. Several kernels make one module
(`run_all` and `module`), which saves time where there are hundreds of them.

Types of inputs and outputs are PTX types of registers, and what the arrays hold:

====================================  ==========================================================================
``b16 b32 b64 u16 ... s64 f32 f64``   one element of that size each; any dtype of that size will do
``f16 bf16`` and ``f16x2 bf16x2 ...``  registers ``.b16`` and ``.b32``; arrays of 2 and 4 bytes an element
``b8 u8 s8``                          registers ``.b8 .u8 .s8``, which only a few instructions take
``b128``                              shape ``(n, 2)``, dtype uint64: low half first
``pred``                              bool
====================================  ==========================================================================
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from toolkit import assemble_text

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n"
BLOCK = 128

_INTEGERS = {f"{kind}{bits}": (f".{kind}{bits}", bits // 8) for kind in "bus" for bits in (8, 16, 32, 64)}
_REGISTERS: dict[str, tuple[str, int]] = {
    **_INTEGERS,
    "f16": (".b16", 2),
    "bf16": (".b16", 2),
    "f16x2": (".b32", 4),
    "bf16x2": (".b32", 4),
    "u16x2": (".b32", 4),
    "s16x2": (".b32", 4),
    "f32": (".f32", 4),
    "f64": (".f64", 8),
    "f32x2": (".b64", 8),
    "b128": (".b128", 16),
    "pred": (".pred", 1),
}
_DTYPES: dict[str, Any] = {
    **{f"u{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"b{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"s{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f16x2": np.dtype(np.uint32),
    "bf16x2": np.dtype(np.uint32),
    "u16x2": np.dtype(np.uint32),
    "s16x2": np.dtype(np.uint32),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "f32x2": np.dtype(np.uint64),
    "b128": np.dtype(np.uint64),
    "pred": np.dtype(np.bool_),
}


def dtype(name: str) -> np.dtype[Any]:
    """The numpy dtype of an output of a PTX type; an element of ``b128`` has two of them."""
    return np.dtype(_DTYPES[name])


def size(name: str) -> int:
    """Bytes of an element of a PTX type in the arrays."""
    return _REGISTERS[name][1]


@dataclass(frozen=True)
class Kernel:
    """A text of PTX and the registers that it reads and writes.

    With ``guarded=True`` the text is one instruction that runs where the input ``guard`` (bool) is true; ``run`` then
    wants ``guard=`` and, as ``initial_d=`` and so on, what the outputs hold before. Outputs that are inputs too keep
    their own name and type in both.
    """

    text: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    guarded: bool = False
    declarations: str = ""  # statements at the start of the body: more registers, shared variables
    preamble: str = ""  # statements of the module: variables, functions

    def __post_init__(self) -> None:
        for name in {**self.inputs, **self.outputs}.values():
            if name not in _REGISTERS:
                raise ValueError(f"{name} is no type of a register")

    def loads(self) -> dict[str, str]:
        """What each thread loads, by the name of the array: the inputs, and for a guarded kernel the rest."""
        if not self.guarded:
            return dict(self.inputs)
        initial = {f"initial_{name}": kind for name, kind in self.outputs.items() if name not in self.inputs}
        return {**self.inputs, **initial, "guard": "pred"}

    def ptx(self, entry: str = "kernel") -> str:
        """The kernel, as one ``.entry`` without a header."""
        loads = self.loads()
        parameters = [f".param .u64 in_{name}" for name in loads] + [f".param .u64 out_{name}" for name in self.outputs]
        registers = {**self.inputs, **self.outputs, **({"guard": "pred"} if self.guarded else {})}
        lines = [f".reg {_REGISTERS[kind][0]} %{name};" for name, kind in registers.items()]
        lines += [".reg .pred %out_of_range;", ".reg .b16 %boolean;", ".reg .b32 %index, %block, %width, %count;"]
        lines += [".reg .b64 %at, %address, %low, %high;", self.declarations]
        lines += [
            "mov.u32 %index, %tid.x;",
            "mov.u32 %block, %ctaid.x;",
            "mov.u32 %width, %ntid.x;",
            "mad.lo.u32 %index, %block, %width, %index;",
            "ld.param.u32 %count, [count];",
            "setp.ge.u32 %out_of_range, %index, %count;",
            "@%out_of_range bra DONE;",
        ]
        for name, kind in loads.items():
            lines += self._address(f"in_{name}", kind)
            lines += _load(name.removeprefix("initial_") if self.guarded else name, kind)
        lines.append(f"@%guard {self.text}" if self.guarded else self.text)
        for name, kind in self.outputs.items():
            lines += self._address(f"out_{name}", kind)
            lines += _store(name, kind)
        lines += ["DONE:", "ret;"]
        body = "\n".join(f"    {line}" for line in lines if line)
        head = ",\n    ".join([*parameters, ".param .u32 count"])
        return f"{self.preamble}\n.visible .entry {entry}(\n    {head}\n)\n{{\n{body}\n}}\n"

    @staticmethod
    def _address(parameter: str, kind: str) -> list[str]:
        return [
            f"ld.param.u64 %at, [{parameter}];",
            "cvta.to.global.u64 %at, %at;",
            f"mad.wide.u32 %address, %index, {size(kind)}, %at;",
        ]

    def run(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Runs it alone; see `run_all`."""
        return run_all([(self, arrays)])[0]


def _load(name: str, kind: str) -> list[str]:
    if kind == "pred":
        return ["ld.global.u8 %boolean, [%address];", f"setp.ne.u16 %{name}, %boolean, 0;"]
    if kind == "b128":
        return ["ld.global.v2.b64 {%low, %high}, [%address];", f"mov.b128 %{name}, {{%low, %high}};"]
    return [f"ld.global{_REGISTERS[kind][0]} %{name}, [%address];"]


def _store(name: str, kind: str) -> list[str]:
    if kind == "pred":
        return [f"selp.u16 %boolean, 1, 0, %{name};", "st.global.u8 [%address], %boolean;"]
    if kind == "b128":
        return [f"mov.b128 {{%low, %high}}, %{name};", "st.global.v2.b64 [%address], {%low, %high};"]
    return [f"st.global{_REGISTERS[kind][0]} [%address], %{name};"]


def module(kernels: Sequence[Kernel]) -> str:
    """The PTX of several kernels, named ``k0``, ``k1``, ..."""
    return HEADER + "".join(kernel.ptx(f"k{n}") for n, kernel in enumerate(kernels))


def run_all(
    cases: Sequence[tuple[Kernel, Mapping[str, np.ndarray]]], level: str | None = None, **options: Any
) -> list[dict[str, np.ndarray]]:
    """Runs every kernel over its own arrays, all of one module, and returns its outputs by name.

    A case's arrays are those of `Kernel.loads`, with the same number of elements, any number. `level` is the build of
    the core (by default the best that runs here); `options` go to ``Emulator.launch``. Outputs have the dtype of their
    type (`dtype`): view them as what they are.
    """
    from accelc.targets.gpu.emulator import Emulator  # the helper's texts are of use without it

    emulator = Emulator(module([kernel for kernel, _ in cases]), level=level)
    results = []
    for n, (kernel, arrays) in enumerate(cases):
        loads = kernel.loads()
        if set(arrays) != set(loads):
            raise ValueError(f"{kernel.text}: takes arrays {sorted(loads)}, not {sorted(arrays)}")
        given = {name: _bytes(arrays[name], kind) for name, kind in loads.items()}
        counts = {len(raw) // size(loads[name]) for name, raw in given.items()}
        if len(counts) > 1:
            raise ValueError(f"{kernel.text}: arrays of different lengths {sorted(counts)}")
        count = counts.pop() if counts else BLOCK
        outputs = {name: np.zeros(count * size(kind), np.uint8) for name, kind in kernel.outputs.items()}
        emulator.launch(
            f"k{n}",
            grid=(-(-count // BLOCK), 1, 1),
            block=(BLOCK, 1, 1),
            args=[*given.values(), *outputs.values(), count],
            **options,
        )
        results.append({name: _typed(raw, kernel.outputs[name]) for name, raw in outputs.items()})
    return results


def _bytes(array: np.ndarray, kind: str) -> np.ndarray:
    array = np.asarray(array)
    if kind == "pred":
        array = array.astype(np.bool_)
    element = array.dtype.itemsize * (array.shape[-1] if kind == "b128" and array.ndim == 2 else 1)
    if element != size(kind):
        raise ValueError(f"an array of {array.dtype}, shape {array.shape}, holds no elements of {kind}")
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8).copy()


def _typed(raw: np.ndarray, kind: str) -> np.ndarray:
    typed = raw.view(_DTYPES[kind])
    return typed.reshape(-1, 2) if kind == "b128" else typed


# ---- cases ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A kernel, arrays for its inputs, and the answer: a function of them, by name, to the outputs by name.

    A single output may come back as the array itself. The answer must not share code with the emulator.
    """

    kernel: Kernel
    arrays: Mapping[str, np.ndarray]
    answer: Callable[..., Any]

    def expected(self) -> dict[str, np.ndarray]:
        """The outputs that the answer gives, with the dtypes of their types."""
        result = self.answer(**self.arrays)
        named = result if isinstance(result, Mapping) else dict(zip(self.kernel.outputs, [result], strict=True))
        return {name: _typed(_bytes(named[name], kind), kind) for name, kind in self.kernel.outputs.items()}


def check(cases: Sequence[Case], rng: np.random.Generator, guarded: bool = True, level: str | None = None) -> None:
    """Runs every case as it is and, unless told not to, once more under random guards; compares bit for bit.

    Where the guard is false, an output must keep what it held. Texts of several statements cannot be guarded.
    """
    for case, got in zip(cases, run_all([(case.kernel, case.arrays) for case in cases], level), strict=True):
        for name, expected in case.expected().items():
            _compare(case, name, got[name], expected)
    if not guarded:
        return
    runs: list[tuple[Kernel, Mapping[str, np.ndarray]]] = []
    for case in cases:
        count = len(next(iter(case.arrays.values()))) if case.arrays else BLOCK
        initial = {
            f"initial_{name}": _random(kind, count, rng)
            for name, kind in case.kernel.outputs.items()
            if name not in case.kernel.inputs
        }
        runs.append((replace(case.kernel, guarded=True), {**case.arrays, **initial, "guard": guards(count, rng)}))
    for case, (_, given), got in zip(cases, runs, run_all(runs, level), strict=True):
        for name, expected in case.expected().items():
            kind = case.kernel.outputs[name]
            before = _typed(_bytes(given[f"initial_{name}" if name not in case.kernel.inputs else name], kind), kind)
            guard = given["guard"].reshape(-1, *[1] * (expected.ndim - 1))
            _compare(case, name, got[name], np.where(guard, _as_bits(expected), _as_bits(before)), ", guarded")


def _random(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "pred":
        return rng.random(count) < 0.5
    return _typed(rng.integers(0, 255, count * size(kind), np.uint8, endpoint=True), kind)


def _as_bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"uint{8 * array.dtype.itemsize}")


def _compare(case: Case, name: str, actual: np.ndarray, expected: np.ndarray, how: str = "") -> None:
    wrong = np.flatnonzero((_as_bits(actual) != _as_bits(expected)).reshape(len(actual), -1).any(axis=1))
    if len(wrong):
        at = wrong[0]
        inputs = ", ".join(f"{key}={values[at]!r}" for key, values in case.arrays.items())
        raise AssertionError(
            f"{case.kernel.text}{how}: {len(wrong)} of {len(actual)} wrong; element {at}: {inputs}: "
            f"%{name} is {_as_bits(actual)[at]!r} and should be {_as_bits(expected)[at]!r}"
        )


# ---- inputs ----------------------------------------------------------------------------------------------------------


def integers(kind: str, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` integers of a type: edges, numbers spread over magnitudes, and numbers spread evenly."""
    unsigned = np.dtype(f"uint{8 * size(kind)}")
    bits = unsigned.itemsize * 8
    wide = rng.integers(0, 2**bits - 1, count, dtype=unsigned, endpoint=True)
    small = wide >> rng.integers(0, bits, count).astype(unsigned)
    values = np.where(rng.random(count) < 0.5, wide, small).astype(unsigned)
    values = np.where(rng.random(count) < 0.25, rng.choice(_edges(kind), count), values)
    return values.view(_DTYPES[kind])


def _edges(kind: str) -> np.ndarray:
    bits = 8 * size(kind)
    half = 1 << (bits - 1)
    near = [n + d for n in (0, 8, 16, 32, 64, 128, 256, half) for d in (-1, 0, 1)]
    return np.array(sorted({v % 2**bits for v in (*near, 2, 3, -2, -3, -32, -33)}), f"uint{bits}")


def edge_grid(*kinds: str) -> list[np.ndarray]:
    """Every combination of the edges of some integer types, as one array for each."""
    grid = np.meshgrid(*map(_edges, kinds), indexing="ij")
    return [g.reshape(-1).view(_DTYPES[k]) for g, k in zip(grid, kinds, strict=True)]


def guards(count: int, rng: np.random.Generator) -> np.ndarray:
    """Guards (bool) whose warps are full, empty, have one lane, or random lanes."""
    warps = -(-count // 32)
    density = rng.choice([0.0, 0.5, 1.0], (warps, 1))
    lanes = rng.random((warps, 32)) < density
    single = rng.random(warps) < 0.25
    lanes[single] = np.arange(32) == rng.integers(0, 32, (int(single.sum()), 1))
    return lanes.reshape(-1)[:count]


# ---- what is legal, and what is covered ------------------------------------------------------------------------------


def assemble(kernels: Iterable[Kernel], folder: Path, arch: str = "sm_90a") -> None:
    """Has ptxas, the judge of syntax, assemble the texts of all kernels; its complaints are an AssertionError.

    They stand in blocks of one kernel, which takes seconds where a kernel of each would take minutes.
    """
    preambles, blocks = [], []
    for kernel in kernels:
        registers = "".join(
            f".reg {_REGISTERS[kind][0]} %{name}; " for name, kind in {**kernel.inputs, **kernel.outputs}.items()
        )
        if kernel.preamble and kernel.preamble not in preambles:
            preambles.append(kernel.preamble)
        text = " ".join(f"{kernel.declarations} {kernel.text}".split())
        blocks.append(f"    {{ {registers}{text} }}")
    body = "\n".join([*preambles, ".visible .entry kernel() {", *blocks, "    ret;", "}"])
    assemble_text(HEADER.replace("sm_90a", arch) + body + "\n", folder, arch)


@dataclass
class Coverage:
    """Which of the emulator's forms the texts of a test file use."""

    names: set[str] = field(default_factory=set)

    def add(self, kernel: Kernel) -> None:
        """Counts the instructions of a kernel's own text."""
        for statement in kernel.text.replace("\n", " ").split(";"):
            words = [w for w in statement.split() if not w.startswith("@") and not w.endswith(":")]
            if words:
                self.names.add(words[0])

    def missing(self, forms: Iterable[tuple[str, str, str]], opcodes: Iterable[str] | None = None) -> list[str]:
        """The instructions, like ``add.s32``, that forms (of `opcodes`, where given) allow and no text used."""
        wanted = None if opcodes is None else set(opcodes)
        names = [name for form in forms if wanted is None or form[0] in wanted for name in expand(form[0], form[1])]
        return [name for name in dict.fromkeys(names) if name not in self.names]


def expand(opcode: str, modifiers: str) -> list[str]:
    """Every instruction name that a row of the form tables allows: ``expand("add", "[sat] s32")`` has two."""
    places = []
    for word in modifiers.split():
        optional = word.startswith("[")
        places.append([*([""] if optional else []), *word.strip("[]").split("|")])
    return [".".join([opcode, *(w for w in choice if w)]) for choice in itertools.product(*places)]
