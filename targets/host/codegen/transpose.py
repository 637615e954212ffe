"""Transposes a square block of vectors in registers."""

from __future__ import annotations

from accelc.targets.host.codegen.writer import Writer, vector_type


def transpose_block(writer: Writer, rows: list[str], element: str) -> list[str]:
    """The columns of a block whose rows are vectors; their number is a power of two and the vectors' width.

    Step by step, blocks of 1, 2, 4, ... elements off the diagonal change places.
    """
    side = len(rows)
    kind = vector_type(side, element)
    step = 1
    while step < side:
        low = ", ".join(str(j if not j & step else side + (j ^ step)) for j in range(side))
        high = ", ".join(str(j | step if not j & step else side + j) for j in range(side))
        result = list(rows)
        for i in range(side):
            if not i & step:
                pair = f"{rows[i]}, {rows[i | step]}"
                result[i] = writer.op(f"vector.shuffle {pair} [{low}] : {kind}, {kind}")
                result[i | step] = writer.op(f"vector.shuffle {pair} [{high}] : {kind}, {kind}")
        rows = result
        step *= 2
    return rows
