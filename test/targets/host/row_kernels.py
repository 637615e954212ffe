"""Row-wise kernels as text: softmax and layer normalization as `nn-to-linalg` writes them."""

from __future__ import annotations

_MAPS = """
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#col = affine_map<(i, j) -> (j)>
"""
_REDUCE = 'indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]'


def softmax_kernel(rows: int, columns: int) -> str:
    """``softmax(x)`` over the last axis of a [rows, columns] f32."""
    x, v = f"tensor<{rows}x{columns}xf32>", f"tensor<{rows}xf32>"
    return f"""{_MAPS}
    module @kernel {{
    func.func @entry(%x: {x}, %out: {x}) -> {x} attributes {{accelc.num_outputs = 1 : i64}} {{
      %lowest = arith.constant 0xFF800000 : f32
      %zero = arith.constant 0.0 : f32
      %e = tensor.empty() : {v}
      %f0 = linalg.fill ins(%lowest : f32) outs(%e : {v}) -> {v}
      %max = linalg.generic {{{_REDUCE}}} ins(%x : {x}) outs(%f0 : {v}) {{
      ^bb0(%a: f32, %acc: f32):
        %r = arith.maximumf %acc, %a : f32
        linalg.yield %r : f32
      }} -> {v}
      %ee = tensor.empty() : {x}
      %exp = linalg.generic {{indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%x, %max : {x}, {v}) outs(%ee : {x}) {{
      ^bb0(%a: f32, %m: f32, %o: f32):
        %d = arith.subf %a, %m : f32
        %r = math.exp %d : f32
        linalg.yield %r : f32
      }} -> {x}
      %f1 = linalg.fill ins(%zero : f32) outs(%e : {v}) -> {v}
      %sum = linalg.generic {{{_REDUCE}}} ins(%exp : {x}) outs(%f1 : {v}) {{
      ^bb0(%a: f32, %acc: f32):
        %r = arith.addf %acc, %a : f32
        linalg.yield %r : f32
      }} -> {v}
      %res = linalg.generic {{indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%exp, %sum : {x}, {v}) outs(%out : {x}) {{
      ^bb0(%a: f32, %s: f32, %o: f32):
        %r = arith.divf %a, %s : f32
        linalg.yield %r : f32
      }} -> {x}
      return %res : {x}
    }} }}"""


def layer_norm_kernel(rows: int, columns: int) -> str:
    """``(x - mean) / sqrt(var + 1e-5) * scale + bias`` over the last axis of a [rows, columns] f32."""
    x, v, c = f"tensor<{rows}x{columns}xf32>", f"tensor<{rows}xf32>", f"tensor<{columns}xf32>"
    return f"""{_MAPS}
    module @kernel {{
    func.func @entry(%x: {x}, %scale: {c}, %bias: {c}, %out: {x}) -> {x} attributes {{accelc.num_outputs = 1 : i64}} {{
      %zero = arith.constant 0.0 : f32
      %n = arith.constant {float(columns)!r} : f32
      %eps = arith.constant 1.0e-05 : f32
      %e = tensor.empty() : {v}
      %f = linalg.fill ins(%zero : f32) outs(%e : {v}) -> {v}
      %sum = linalg.generic {{{_REDUCE}}} ins(%x : {x}) outs(%f : {v}) {{
      ^bb0(%a: f32, %acc: f32):
        %r = arith.addf %acc, %a : f32
        linalg.yield %r : f32
      }} -> {v}
      %ee = tensor.empty() : {x}
      %d = linalg.generic {{indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%x, %sum : {x}, {v}) outs(%ee : {x}) {{
      ^bb0(%a: f32, %s: f32, %o: f32):
        %m = arith.divf %s, %n : f32
        %r = arith.subf %a, %m : f32
        linalg.yield %r : f32
      }} -> {x}
      %sq = linalg.generic {{{_REDUCE}}} ins(%d : {x}) outs(%f : {v}) {{
      ^bb0(%a: f32, %acc: f32):
        %p = arith.mulf %a, %a : f32
        %r = arith.addf %acc, %p : f32
        linalg.yield %r : f32
      }} -> {v}
      %res = linalg.generic {{indexing_maps = [#id, #row, #col, #col, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%d, %sq, %scale, %bias : {x}, {v}, {c}, {c}) outs(%out : {x}) {{
      ^bb0(%a: f32, %s: f32, %g: f32, %b: f32, %o: f32):
        %m = arith.divf %s, %n : f32
        %t = arith.addf %m, %eps : f32
        %q = math.rsqrt %t : f32
        %u = arith.mulf %a, %q : f32
        %w = arith.mulf %u, %g : f32
        %r = arith.addf %w, %b : f32
        linalg.yield %r : f32
      }} -> {x}
      return %res : {x}
    }} }}"""
