"""Matrix products and einsums, as `nn.contract`."""

from __future__ import annotations

import string

import numpy as np

from accelc.core.diagnostics import InvalidModelError
from accelc.frontend.onnx.build import Builder
from accelc.frontend.onnx.registry import Node, handler
from accelc.frontend.onnx.values import Value, known


def matmul(b: Builder, x: Value, y: Value, dtype: str | None = None) -> Value:
    """numpy's matmul: leading dimensions broadcast, vectors are rows on the left and columns on the right.

    A batch dimension of size 1 that meets another size is dropped from its operand, so that nothing is repeated.
    Raises InvalidModelError where the shapes do not fit.
    """
    if x.rank == 0 or y.rank == 0:
        raise InvalidModelError(f"MatMul needs operands of rank 1 and more, got {x.type} and {y.type}")
    mine, theirs = x.shape[-1], y.shape[0] if y.rank == 1 else y.shape[-2]
    if mine is not None and theirs is not None and mine != theirs:
        raise InvalidModelError(f"cannot multiply {x.type} by {y.type}: {mine} columns meet {theirs} rows")
    batch = max(x.rank, y.rank, 2) - 2
    letters = [c for c in string.ascii_lowercase if c not in "mnk"][:batch]
    rows, columns = "m" if x.rank > 1 else "", "n" if y.rank > 1 else ""
    (x, left), (y, right) = _batch(b, x, y, letters), _batch(b, y, x, letters)
    out = "".join(c for c in letters if c in left or c in right)
    return b.contract(x, y, f"{left}{rows}k,{right}k{columns}->{out}{rows}{columns}", dtype)


def _batch(b: Builder, x: Value, other: Value, letters: list[str]) -> tuple[Value, str]:
    """x without its batch dimensions of size 1 that meet another size, and the letters of those that are left."""
    count, others = max(x.rank - 2, 0), max(other.rank - 2, 0)
    kept = letters[len(letters) - count :]
    drop = [
        i for i in range(count) if x.shape[i] == 1 and i - count + others >= 0 and other.shape[i - count + others] != 1
    ]
    return b.squeeze(x, drop), "".join(c for i, c in enumerate(kept) if i not in drop)


@handler("MatMul")
def matmul_op(n: Node) -> Value:
    """Matrix product."""
    return matmul(n.b, n.x(0), n.x(1))


@handler("Gemm")
def gemm(n: Node) -> Value:
    """alpha * A * B + beta * C, each matrix transposed or not."""
    a, b = n.x(0), n.x(1)
    if a.rank != 2 or b.rank != 2:
        raise n.invalid(f"needs matrices, got {a.type} and {b.type}")
    left, right = ("km" if n.flag("transA") else "mk"), ("nk" if n.flag("transB") else "kn")
    product = n.b.contract(a, b, f"{left},{right}->mn")
    alpha, beta = n.real("alpha", 1.0), n.real("beta", 1.0)
    if alpha != 1.0:
        product = _times(n.b, product, alpha)
    c = n.maybe(2)
    if c is None or beta == 0.0:
        return product
    c = c if beta == 1.0 else _times(n.b, c, beta)
    return n.b.add(product, n.b.broadcast_to(c, product.shape) if product.type.is_static else c)


def _times(b: Builder, x: Value, factor: float) -> Value:
    if x.is_float:
        return b.mul(x, factor)
    return b.cast(b.mul(b.cast(x, "f64"), factor), x.dtype)


@handler("Einsum")
def einsum(n: Node) -> Value:
    """Sums of products in Einstein's notation, two operands at a time from the left."""
    terms, out = _terms(n)
    values = [n.x(i) for i in range(len(n.inputs))]
    operands = [_diagonals(n, v, t) for v, t in zip(values, terms, strict=True)]
    while len(operands) > 1:
        (a, s), (b, t), *rest = operands
        later = set(out).union(*(letters for _, letters in rest))
        operands = [_pair(n, a, s, b, t, later), *rest]
    value, term = operands[0]
    value = n.b.reduce("sum", value, [i for i, c in enumerate(term) if c not in out])
    term = "".join(c for c in term if c in out)
    return n.b.transpose(value, [term.index(c) for c in out])


def _terms(n: Node) -> tuple[list[str], str]:
    """The letters of each operand and of the output, with ellipses spelled out in letters that are free."""
    equation = n.text("equation").replace(" ", "")
    left, arrow, out = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(n.inputs):
        raise n.invalid(f"has {len(n.inputs)} operands for '{equation}'")
    free = [c for c in string.ascii_letters if c not in equation]
    spans = [n.x(i).rank - len(t.replace("...", "")) if "..." in t else 0 for i, t in enumerate(terms)]
    longest = max(spans)
    dots = "".join(free[:longest])
    spelled = [t.replace("...", dots[longest - s :]) for t, s in zip(terms, spans, strict=True)]
    for i, t in enumerate(spelled):
        if len(t) != n.x(i).rank or not (t.isalpha() or not t):
            raise n.invalid(f"has '{terms[i]}' in '{equation}' for {n.x(i).type}")
    if arrow:
        out = out.replace("...", dots)
    else:
        every = "".join(spelled)
        out = dots + "".join(sorted(c for c in set(every) if every.count(c) == 1 and c not in dots))
    if any(c not in "".join(spelled) for c in out) or len(set(out)) != len(out):
        raise n.invalid(f"cannot be read: '{equation}'")
    return spelled, out


def _diagonals(n: Node, x: Value, term: str) -> tuple[Value, str]:
    """x with each letter once: a letter given twice takes the diagonal."""
    for c in sorted(set(term)):
        while term.count(c) > 1:
            i = term.index(c)
            j = term.index(c, i + 1)
            shape = n.static(x)
            if shape[i] != shape[j]:
                raise n.invalid(f"takes a diagonal of sizes {shape[i]} and {shape[j]}")
            perm = [k for k in range(x.rank) if k not in (i, j)] + [i, j]
            moved = n.b.transpose(x, perm)
            rest = list(n.static(moved)[:-2])
            flat = n.b.reshape(moved, [*rest, shape[i] * shape[j]])
            x = n.b.gather(flat, known(np.arange(shape[i], dtype=np.int64) * (shape[i] + 1)), len(rest))
            term = "".join(term[k] for k in perm[:-1])
    return x, term


def _pair(n: Node, a: Value, s: str, b: Value, t: str, later: set[str]) -> tuple[Value, str]:
    """One contraction; letters that nobody needs later are summed, and sizes of 1 that meet larger ones dropped."""
    sizes = {c: d for c, d in (*zip(s, a.shape, strict=True), *zip(t, b.shape, strict=True)) if d != 1}
    a, s = _reduced(n, a, s, t, sizes, later)
    b, t = _reduced(n, b, t, s, sizes, later)
    out = "".join(c for c in (*s, *(c for c in t if c not in s)) if c in later)
    return n.b.contract(a, b, f"{s},{t}->{out}"), out


def _reduced(
    n: Node, x: Value, term: str, other: str, sizes: dict[str, int | None], later: set[str]
) -> tuple[Value, str]:
    ones = [i for i, c in enumerate(term) if x.shape[i] == 1 and c in sizes]
    x = n.b.squeeze(x, ones)
    term = "".join(c for i, c in enumerate(term) if i not in ones)
    alone = [i for i, c in enumerate(term) if c not in other and c not in later]
    return n.b.reduce("sum", x, alone), "".join(c for i, c in enumerate(term) if i not in alone)
