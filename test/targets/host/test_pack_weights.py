"""host-pack-weights: the layout is what `linalg.unpack` says, and packed kernels compute the same."""

from __future__ import annotations

import numpy as np
import pytest
from contraction_kernels import contraction_kernel
from convolution_kernels import Conv
from host_kernels import run_kernel

from accelc.core.pass_ import PassContext
from accelc.mlir import ir
from accelc.targets.host.cpu import native
from accelc.targets.host.packing import pack_panels, winograd_filters
from accelc.targets.host.passes.host_pack_weights import HostPackWeights, _pack, _panels

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
    text = contraction_kernel(spec, sizes)
    b = spec.replace("->", ",").split(",")[1]
    before = f"tensor<{'x'.join(str(sizes[i]) for i in b)}xf32>"
    text = text.replace(f"%b: {before}", f"%b: {before} {{accelc.constant}}", 1)
    with ir.Context() as context:
        context.enable_multithreading(False)
        module = ir.Module.parse(text)
        panels = _panels(module.operation, {1}, native())
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


@pytest.mark.parametrize(
    "conv",
    [
        Conv(16, 32, 14, 3, 1, 1),
        Conv(20, 40, 13, 3, 1, 1, residual=True),
        Conv(32, 16, 12, 3, 1, 0),
        Conv(16, 16, 18, 3, 1, 1),
        Conv(384, 400, 12, 3, 1, 1),
    ],
    ids=str,
)
def test_winograd_computes_the_convolution(conv: Conv) -> None:
    rng = np.random.default_rng(0)
    *inputs, _ = (rng.standard_normal(s).astype("f") for s in conv.shapes)
    with ir.Context() as context, ir.Location.unknown():
        context.enable_multithreading(False)
        module = ir.Module.parse(conv.text(constant=True))
        packing = _pack(module.operation, native(), winograd=True)
        assert packing is not None
        assert packing.winograd_shape == tuple(conv.shapes[1])
        assert module.operation.verify()
        text = str(module)
    panels = packing.panels
    filters = winograd_filters(inputs[1], shape=list(packing.winograd_shape))
    inputs_packed = list(inputs)
    inputs_packed[1] = pack_panels(
        filters, shape=list(panels.shape), perm=list(panels.perm), dim=panels.dim, tile=panels.tile
    )
    (got,) = run_kernel(text, inputs_packed, [(conv.shapes[-1], F32)])
    expected = conv.reference(*inputs)
    assert np.linalg.norm(got - expected) < 1e-5 * np.linalg.norm(expected)
