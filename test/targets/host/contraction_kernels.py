"""Contraction kernels as text."""

from __future__ import annotations

from host_kernels import tensor


def contraction_kernel(
    spec: str, sizes: dict[str, int], *, epilogue: str = "", accumulator: str = "f32", element: str = "f32"
) -> str:
    """An einsum of two operands, ``spec`` as ``"mk,kn->mn"``; ``epilogue`` is a scalar body over %c (the product) and
    %b (a bias along the output's last dimension), yielding %r; the bias is then the third argument."""
    operands, out = spec.split("->")
    a, b = operands.split(",")
    letters = [*out, *(x for x in dict.fromkeys(a + b) if x not in out)]
    dims = ", ".join(letters)
    maps = ", ".join(f"affine_map<({dims}) -> ({', '.join(x)})>" for x in (a, b, out))
    shape = lambda x: [sizes[i] for i in x]
    ta, tb, to = tensor(shape(a), element), tensor(shape(b), element), tensor(shape(out), accumulator)
    zero = "0.0" if accumulator[0] == "f" else "0"
    bias = tensor(shape(out[-1:]), accumulator)
    odims = ", ".join(out)
    head = f"%a: {ta}, %b: {tb}, " + (f"%bias: {bias}, " if epilogue else "")
    tail = (
        f"""
      %r = linalg.generic {{indexing_maps = [affine_map<({odims}) -> ({odims})>, affine_map<({odims}) -> ({out[-1]})>,
          affine_map<({odims}) -> ({odims})>], iterator_types = [{", ".join(['"parallel"'] * len(out))}]}}
          ins(%c, %bias : {to}, {bias}) outs(%out : {to}) {{
      ^bb0(%c0: {accumulator}, %b0: {accumulator}, %o: {accumulator}):
        {epilogue}
        linalg.yield %y : {accumulator}
      }} -> {to}
      return %r : {to}"""
        if epilogue
        else f"return %c : {to}"
    )
    return f"""
    module @kernel {{
    func.func @entry({head}%out: {to}) -> {to} attributes {{accelc.num_outputs = 1 : i64}} {{
      %z = arith.constant {zero} : {accumulator}
      %e = tensor.empty() : {to}
      %f = linalg.fill ins(%z : {accumulator}) outs(%e : {to}) -> {to}
      %c = linalg.contract indexing_maps = [{maps}] ins(%a, %b : {ta}, {tb}) outs(%f : {to}) -> {to}
      {tail}
    }} }}"""


RELU = "%s = arith.addf %c0, %b0 : f32\n%zz = arith.constant 0.0 : f32\n%y = arith.maximumf %s, %zz : f32"
GELU = """%x = arith.addf %c0, %b0 : f32
        %k = arith.constant 0.70710678118654752 : f32
        %h = arith.constant 0.5 : f32
        %one = arith.constant 1.0 : f32
        %u = arith.mulf %x, %k : f32
        %e0 = math.erf %u : f32
        %p = arith.addf %e0, %one : f32
        %q = arith.mulf %x, %h : f32
        %y = arith.mulf %q, %p : f32"""
