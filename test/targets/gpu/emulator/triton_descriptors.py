"""A Triton kernel whose tensor descriptors are made on the device."""

import triton
import triton.language as tl


@triton.jit
def block_sum(a, b, out, M, N, BM: tl.constexpr, BN: tl.constexpr):  # type: ignore[no-untyped-def]
    """out = a + b, of shape [M, N], block by block, through three descriptors."""
    first = tl.make_tensor_descriptor(a, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    second = tl.make_tensor_descriptor(b, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    result = tl.make_tensor_descriptor(out, shape=[M, N], strides=[N, 1], block_shape=[BM, BN])
    row, column = tl.program_id(0) * BM, tl.program_id(1) * BN
    result.store([row, column], first.load([row, column]) + second.load([row, column]))
