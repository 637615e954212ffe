"""onnx's own node tests, run through anything that can run a model.

`run_cases` gives every case of ``onnx.backend.test.case.node`` to a runner and says how it went. A case whose op needs
an input's value when the model is compiled (the axes of a reduction, the shape of a reshape) is run again with that
input bound to its value, as a model exporter would have made it an initializer.

    python test/frontend/onnx_node_cases.py [PATTERN]   # a summary of the importer and the reference interpreter

The list of passing cases, onnx_node_cases.txt, is held by test_onnx_nodes.py and renewed by `make bless`.
"""

from __future__ import annotations

import argparse
import collections
import functools
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from accelc.core.diagnostics import Error, InternalError, UnsupportedError, WrongResultError
from accelc.frontend.onnx import NeedsConstantError

Array = np.ndarray[Any, Any]
# runner(model, inputs by name, inputs to bind as constants by name) -> outputs, in the graph's order
Runner = Callable[[onnx.ModelProto, Mapping[str, Array], Mapping[str, Array]], Sequence[Array]]

# Cases whose expected values are themselves rounding noise beyond onnx's tolerances: (rtol, atol), and why.
TOLERANCES = {
    # 0 in exact arithmetic; expected is what numpy's f32 FFT leaves of inputs up to 100 (2e-7), products leave 2e-6.
    "test_dft_inverse": (1e-3, 4e-6),
    "test_dft_inverse_opset19": (1e-3, 4e-6),
    # Two of 192 elements differ by two units in the last place of f16; the exact value lies between, nearer to ours.
    "test_attention_4d_causal_fp16_expanded": (2**-9, 1e-7),
    # Native code rounds the weights to f16 before the second product. Four of 192 elements differ by two units; ours
    # are off the exact values by up to 3.9e-4, the expected ones by up to 4.9e-4.
    "test_attention_4d_causal_fp16": (2**-9, 1e-7),
}

GOLDEN = Path(__file__).parent / "onnx_node_cases.txt"


@dataclass(frozen=True)
class Outcome:
    """How a case went: ``pass``, ``unsupported``, ``wrong`` or ``crash``.

    bound: inputs that became constants. folded: all of them did, so that nothing was left to run.
    """

    name: str
    status: str
    bound: tuple[str, ...] = ()
    message: str = ""
    folded: bool = False

    def line(self) -> str:
        """As the golden file has it."""
        return f"{self.name} bound={','.join(self.bound)}" if self.bound else self.name


def cases() -> list[Any]:
    """All node cases, in a fixed order."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted(collect_testcases(None), key=lambda c: c.name)


def run_cases(runner: Runner, selected: Iterable[Any]) -> Iterator[Outcome]:
    """Runs cases one after another."""
    for case in selected:
        yield run_case(runner, case)


def run_case(runner: Runner, case: Any) -> Outcome:
    """Runs one case on all its data sets."""
    bound: set[str] = set()
    names = [i.name for i in case.model.graph.input]
    while True:
        done = tuple(n for n in names if n in bound)
        try:
            for inputs, expected in case.data_sets:
                given = {n: to_array(v) for n, v in zip(names, inputs, strict=False)}
                free = {n: v for n, v in given.items() if n not in bound}
                outputs = runner(case.model, free, {n: given[n] for n in bound})
                compare(case, expected, outputs)
            return Outcome(case.name, "pass", done, folded=len(done) == len(names))
        except NeedsConstantError as error:
            new = [i for i in error.inputs if i not in bound]
            if not new:
                return Outcome(case.name, "unsupported", done, str(error))
            bound.update(new)
        except UnsupportedError as error:
            return Outcome(case.name, "unsupported", done, str(error))
        except WrongResultError as error:
            return Outcome(case.name, "wrong", done, str(error))
        except InternalError as error:
            return Outcome(case.name, "crash", done, str(error))
        except Error as error:
            return Outcome(case.name, "wrong", done, f"refused as invalid: {error}")
        except Exception as error:
            return Outcome(case.name, "crash", done, f"{type(error).__name__}: {error}")


def compare(case: Any, expected: Sequence[Any], outputs: Sequence[Array]) -> None:
    """onnx's own comparison. Raises WrongResultError where outputs differ by more than the case allows."""
    if len(outputs) != len(expected):
        raise WrongResultError(f"{len(outputs)} outputs instead of {len(expected)}")
    for i, (want, have) in enumerate(zip(expected, outputs, strict=True)):
        want = to_array(want)
        if have.shape != want.shape or have.dtype != want.dtype:
            raise WrongResultError(f"output {i} is {have.dtype}{list(have.shape)}, not {want.dtype}{list(want.shape)}")
        rtol, atol = TOLERANCES.get(case.name, (case.rtol, case.atol))
        # As onnx's runner does: two units in the last place of bfloat16.
        rtol = max(rtol, 2**-6) if want.dtype.name == "bfloat16" else rtol
        if want.dtype.kind not in "fiub" or want.dtype.isbuiltin != 1:
            want, have = want.astype(np.float32), have.astype(np.float32)
        if np.issubdtype(want.dtype, np.floating):
            fits = np.allclose(have, want, rtol=rtol, atol=atol, equal_nan=True)
        else:
            fits = np.array_equal(have, want)
        if not fits:
            difference = np.abs(have.astype(np.float64) - want.astype(np.float64))
            raise WrongResultError(f"output {i} is off by up to {np.nanmax(difference, initial=0.0):.3g}")


def to_array(value: Any) -> Any:
    """A case's input or output: types that numpy lacks come as messages, sequences as lists."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, list) or value is None else np.asarray(value)


@functools.cache
def _context() -> Any:
    """One context for all cases: making one takes longer than most of them."""
    from accelc.core.context import make_context

    return make_context()


def interpret(model: onnx.ModelProto, inputs: Mapping[str, Array], bound: Mapping[str, Array]) -> Sequence[Array]:
    """The first runner: import, verify, and the reference interpreter."""
    from accelc.dialects import interpreter
    from accelc.frontend.onnx import import_onnx, load

    with _context():
        imported = import_onnx(load(model), bind=bound)
        imported.module.operation.verify()
        results = interpreter.run(imported.module, {p.name: inputs[p.name] for p in imported.inputs}, imported.store)
    return [results[p.name] for p in imported.outputs]


def summary(outcomes: Sequence[Outcome]) -> str:
    """Counts, and why cases do not pass."""
    counts = collections.Counter(o.status for o in outcomes)
    lines = [", ".join(f"{counts[s]} {s}" for s in ("pass", "unsupported", "wrong", "crash"))]
    bound = [o for o in outcomes if o.status == "pass" and o.bound]
    lines.append(
        f"of the passing, {len(bound)} with bound inputs, {sum(o.folded for o in bound)} with all of them bound"
    )
    reasons = collections.Counter(_reason(o.message) for o in outcomes if o.status == "unsupported")
    lines += [f"{count:5} {reason}" for reason, count in sorted(reasons.items(), key=lambda r: (-r[1], r[0]))]
    lines += [f"{o.status}: {o.name}: {o.message}" for o in outcomes if o.status in ("wrong", "crash")]
    return "\n".join(lines)


def _reason(message: str) -> str:
    first = message.splitlines()[0]
    return re.sub(r"^node '[^']*': ", "", re.sub(r"(input|output) '[^']*'", r"\1", first))


def passing(outcomes: Sequence[Outcome]) -> str:
    """The golden file of outcomes: cases that pass, with the inputs they need bound."""
    return "".join(o.line() + "\n" for o in outcomes if o.status == "pass")


def golden() -> dict[str, tuple[str, ...]]:
    """Cases that pass by the committed list, with the inputs they need bound."""
    found = {}
    for line in GOLDEN.read_text().splitlines():
        name, _, rest = line.partition(" bound=")
        found[name] = tuple(rest.split(",")) if rest else ()
    return found


def listed(path: Path) -> dict[str, str]:
    """The lines of a target's golden list, by case."""
    return {line.split(" ")[0]: line for line in path.read_text().splitlines()}


def hold(runner: Runner, selected: Sequence[Any], path: Path, renew: str) -> None:
    """None of the cases is wrong or crashes, those that pass are in the golden list of ``path``, refusals say why.

    renew: what to do where the list is no longer true.
    """
    golden_lines = listed(path)
    outcomes = list(run_cases(runner, selected))
    bad = [o for o in outcomes if o.status in ("wrong", "crash")]
    assert bad == [], bad
    passed = [o.line() for o in outcomes if o.status == "pass"]
    expected = [golden_lines[c.name] for c in selected if c.name in golden_lines]
    assert passed == expected, f"{renew}: {sorted(set(passed) ^ set(expected))}"
    assert all(o.message for o in outcomes if o.status == "unsupported")


def main(argv: Sequence[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pattern", nargs="?", default="", help="run only cases whose name matches this expression")
    options = parser.parse_args(argv)
    selected = [c for c in cases() if re.search(options.pattern, c.name)]
    outcomes = list(run_cases(interpret, selected))
    print(summary(outcomes))
    return int(any(o.status in ("wrong", "crash") for o in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
