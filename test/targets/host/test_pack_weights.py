"""host-pack-weights: the layout is what `linalg.unpack` says, and packed kernels compute the same."""

from __future__ import annotations

import numpy as np
import pytest
from contraction_kernels import contraction_kernel
from host_kernels import run_kernel

from accelc.core.pass_ import PassContext
from accelc.mlir import ir
from accelc.targets.host.packing import pack_panels
from accelc.targets.host.passes.host_pack_weights import HostPackWeights, _panels

F32 = np.dtype("f")


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        ("mk,kn->mn", {"m": 17, "k": 20, "n": 77}),
        ("mk,nk->mn", {"m": 1, "k": 20, "n": 300}),
        ("bmk,khd->bmhd", {"b": 2, "m": 9, "k": 10, "h": 3, "d": 40}),
        ("gmk,gkn->gmn", {"g": 2, "m": 9, "k": 10, "n": 40}),
    ],
)
def test_packed_kernel_computes_the_same(spec: str, sizes: dict[str, int]) -> None:
    text = contraction_kernel(spec, sizes).replace("%b: tensor", "%b: tensor", 1)
    b = spec.replace("->", ",").split(",")[1]
    before = f"tensor<{'x'.join(str(sizes[i]) for i in b)}xf32>"
    text = text.replace(f"%b: {before}", f"%b: {before} {{accelc.constant}}", 1)
    with ir.Context() as context:
        context.enable_multithreading(False)
        module = ir.Module.parse(text)
        from accelc.targets.host.cpu import native

        panels = _panels(module.operation, native())
        assert panels is not None
        HostPackWeights().run(module, PassContext())
        packed_text = str(module)
    assert "linalg.unpack" in packed_text
    rng = np.random.default_rng(0)
    a, out = spec.replace("->", ",").split(",")[::2]
    x, w = (rng.standard_normal([sizes[i] for i in s]).astype("f") for s in (a, b))
    packed = pack_panels(w, shape=list(w.shape), perm=list(panels.perm), dim=panels.dim, tile=panels.tile)
    assert packed.shape == panels.packed_shape
    (got,) = run_kernel(packed_text, [x, packed], [([sizes[i] for i in out], F32)])
    np.testing.assert_allclose(got, np.einsum(spec, x, w), rtol=1e-4, atol=1e-4)
