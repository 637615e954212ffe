"""A hand-written GEMM, C[M,N] = A[M,K] B[K,N]: weight-stationary, both operands' tiles double-buffered.

r0, r1, r2 are the DRAM addresses of A, B, C. dma0 loads, mxu multiplies, dma1 stores. Row panels of A and C
are `tile_m` high. Removing any one wait leaves a program that the hazard checker, or the clock, tells apart.
"""

from __future__ import annotations

from accelc.targets.sim_accel.isa import DTYPE_BYTES, Reg, Tile
from accelc.targets.sim_accel.program import Program


def gemm(m: int, n: int, k: int, side: int, dtype: str = "bf16", tile_m: int | None = None) -> Program:
    """The program; m is a multiple of tile_m (default m), n and k are multiples of `side`."""
    tile_m = tile_m or m
    size, acc = DTYPE_BYTES[dtype], ("i32" if dtype in ("i8", "u8") else "f32")
    p = Program(arguments=3)
    a, b, c = p.arg(0), p.arg(1), p.arg(2)
    act_bytes, weight_bytes, out_bytes = tile_m * side * size, side * side * size, tile_m * side * 4
    acts, weights, outs = 0, 2 * act_bytes, 2 * act_bytes + 2 * weight_bytes
    filled, empty, done, stored = p.sem(), p.sem(), p.sem(), p.sem()
    p.signal("seq", empty, 2)
    p.signal("seq", stored, 2)
    flip, out_flip = p.reg(), p.reg()
    p.set(flip, 0)
    p.set(out_flip, 0)
    regs = [p.reg() for _ in range(6)]
    src_a, src_b, dst, act_at, weight_at, out_at = regs

    def step(i: Reg, j: Reg, kk: Reg | int, accumulate: bool) -> None:
        """One K slice: load both tiles into the buffers that `flip` names, multiply."""
        p.smul(src_a, i, k)
        p.sadd(src_a, src_a, kk)
        p.smul(src_a, src_a, size)
        p.sadd(src_a, src_a, a)
        p.smul(src_b, kk, n)
        p.sadd(src_b, src_b, j)
        p.smul(src_b, src_b, size)
        p.sadd(src_b, src_b, b)
        p.smul(act_at, flip, act_bytes)
        p.smul(weight_at, flip, weight_bytes)
        p.wait("dma0", empty)
        p.dma_load("dma0", Tile(dtype, weight_at + weights, (side, 1)), Tile(dtype, src_b, (n, 1)), (side, side))
        p.dma_load("dma0", Tile(dtype, act_at + acts, (side, 1)), Tile(dtype, src_a, (k, 1)), (tile_m, side))
        p.signal("dma0", filled)
        p.wait("mxu", filled)
        p.mm_load(Tile(dtype, weight_at + weights, (side,)), side, side)
        p.mm_mul(Tile(acc, out_at, (side,)), Tile(dtype, act_at + acts, (side,)), 1, (tile_m,), acc=accumulate)
        p.signal("mxu", empty)
        p.sxor(flip, flip, 1)

    with p.loop(m // tile_m, step=tile_m) as i, p.loop(n // side, step=side) as j:
        p.smul(out_at, out_flip, out_bytes)
        p.sadd(out_at, out_at, outs)
        p.sxor(out_flip, out_flip, 1)
        p.wait("mxu", stored)
        step(i, j, 0, False)
        with p.loop(k // side - 1, start=side, step=side) as kk:
            step(i, j, kk, True)
        p.signal("mxu", done)
        p.smul(dst, i, n)
        p.sadd(dst, dst, j)
        p.smul(dst, dst, 4)
        p.sadd(dst, dst, c)
        p.wait("dma1", done)
        p.dma_store("dma1", Tile(acc, dst, (n, 1)), Tile(acc, out_at, (side, 1)), (tile_m, side))
        p.signal("dma1", stored)
    p.halt()
    return p
