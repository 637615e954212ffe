"""Convolution and pooling kernels as text, and their meaning in numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from host_kernels import tensor

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Conv:
    """A square NHWC convolution with bias and relu; ``depthwise`` has one filter a channel (HWC)."""

    channels: int
    filters: int
    size: int
    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    depthwise: bool = False
    residual: bool = False

    @property
    def out(self) -> int:
        """The output's height and width."""
        return (self.size + 2 * self.pad - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def shapes(self) -> list[list[int]]:
        """Input, filter, bias, residual if any, output."""
        k, n = self.kernel, self.out
        filters = [k, k, self.channels] if self.depthwise else [k, k, self.channels, self.filters]
        out = [1, n, n, self.filters]
        middle = [out] if self.residual else []
        return [[1, self.size, self.size, self.channels], filters, [self.filters], *middle, out]

    def text(self, constant: bool = False) -> str:
        """The kernel."""
        x, w, b, *_, o = (tensor(s, "f32") for s in self.shapes)
        padded = tensor([1, self.size + 2 * self.pad, self.size + 2 * self.pad, self.channels], "f32")
        p = self.pad
        pad = f"""%p = tensor.pad %x low[0, {p}, {p}, 0] high[0, {p}, {p}, 0] {{
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %z : f32
      }} : {x} to {padded}"""
        op = "depthwise_conv_2d_nhwc_hwc" if self.depthwise else "conv_2d_nhwc_hwcf"
        attributes = (
            f"dilations = dense<{self.dilation}> : tensor<2xi64>, strides = dense<{self.stride}> : tensor<2xi64>"
        )
        mark = " {accelc.constant}" if constant else ""
        extra, ins, types, args = "", "%c, %b", f"{o}, {b}", "%c0: f32, %b0: f32"
        maps, add = "#id, #c", "%s = arith.addf %c0, %b0 : f32"
        if self.residual:
            extra, ins, types, args = f"%r: {o}, ", "%c, %b, %r", f"{o}, {b}, {o}", "%c0: f32, %b0: f32, %r0: f32"
            maps = "#id, #c, #id"
            add = "%s0 = arith.addf %c0, %b0 : f32\n%s = arith.addf %s0, %r0 : f32"
        return f"""
    #id = affine_map<(n, h, w, c) -> (n, h, w, c)>
    #c = affine_map<(n, h, w, c) -> (c)>
    module @kernel {{
    func.func @entry(%x: {x}, %w: {w}{mark}, %b: {b}{mark}, {extra}%out: {o}) -> {o}
        attributes {{accelc.num_outputs = 1 : i64}} {{
      %z = arith.constant 0.0 : f32
      {pad if p else ""}
      %e = tensor.empty() : {o}
      %f = linalg.fill ins(%z : f32) outs(%e : {o}) -> {o}
      %c = linalg.{op} {{{attributes}}} ins({"%p" if p else "%x"}, %w : {padded if p else x}, {w}) outs(%f : {o}) -> {o}
      %g = linalg.generic {{indexing_maps = [{maps}, #id],
          iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
          ins({ins} : {types}) outs(%out : {o}) {{
      ^bb0({args}, %acc: f32):
        {add}
        %y = arith.maximumf %s, %z : f32
        linalg.yield %y : f32
      }} -> {o}
      return %g : {o}
    }} }}"""

    def reference(self, x: Array, w: Array, b: Array, residual: Array | None = None) -> Array:
        """What the kernel computes, in double."""
        n, s, d, p = self.out, self.stride, self.dilation, self.pad
        padded = np.pad(x.astype(np.float64), ((0, 0), (p, p), (p, p), (0, 0)))
        result = np.zeros((1, n, n, self.filters)) + b
        for i in range(self.kernel):
            for j in range(self.kernel):
                part = padded[:, i * d : i * d + s * (n - 1) + 1 : s, j * d : j * d + s * (n - 1) + 1 : s]
                result += part * w[i, j] if self.depthwise else part @ w[i, j]
        return np.maximum(result if residual is None else result + residual, 0)


def pool_kernel(kind: str, channels: int, size: int, kernel: int, stride: int, pad: int) -> str:
    """A ``max`` or ``sum`` pool of a square NHWC f32 input."""
    out = (size + 2 * pad - kernel) // stride + 1
    x, o, v = (tensor(s, "f32") for s in ([1, size, size, channels], [1, out, out, channels], [kernel, kernel]))
    padded = tensor([1, size + 2 * pad, size + 2 * pad, channels], "f32")
    start, op = ("0xFF800000", "maximumf") if kind == "max" else ("0.0", "addf")
    window = f"affine_map<(n, h, w, c, i, j) -> (n, h * {stride} + i, w * {stride} + j, c)>"
    padding = f"""%p = tensor.pad %x low[0, {pad}, {pad}, 0] high[0, {pad}, {pad}, 0] {{
      ^bb0(%i: index, %j: index, %k: index, %l: index):
        tensor.yield %z : f32
      }} : {x} to {padded}"""
    return f"""
    module @kernel {{
    func.func @entry(%x: {x}, %out: {o}) -> {o} attributes {{accelc.num_outputs = 1 : i64}} {{
      %z = arith.constant {start} : f32
      {padding if pad else ""}
      %e = tensor.empty() : {o}
      %v = tensor.empty() : {v}
      %f = linalg.fill ins(%z : f32) outs(%out : {o}) -> {o}
      %c = linalg.generic {{indexing_maps = [{window}, affine_map<(n, h, w, c, i, j) -> (i, j)>,
            affine_map<(n, h, w, c, i, j) -> (n, h, w, c)>],
          iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}}
          ins({"%p" if pad else "%x"}, %v : {padded if pad else x}, {v}) outs(%f : {o}) {{
      ^bb0(%a: f32, %b: f32, %acc: f32):
        %y = arith.{op} %acc, %a : f32
        linalg.yield %y : f32
      }} -> {o}
      return %c : {o}
    }} }}"""
