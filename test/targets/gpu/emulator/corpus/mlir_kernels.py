"""PTX out of MLIR by the project's own bindings and LLVM: a scheduled linalg matmul with its epilogue, warp-level
tensor cores with asynchronous copies, shuffles, and Hopper's TMA, mbarriers and wgmma through `nvgpu`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accelc.core.context import make_context
from accelc.core.llvm_literals import down_convert
from accelc.mlir import PassManager, dialect, ir
from accelc.targets.gpu.emit import ptx

TO_NVVM = (
    "convert-vector-to-scf{full-unroll=true},convert-scf-to-cf,expand-strided-metadata,lower-affine,canonicalize,cse,"
    "convert-vector-to-llvm{use-vector-alignment=true},convert-gpu-to-nvvm{use-bare-ptr-memref-call-conv=true},"
    "convert-vector-to-llvm,convert-nvvm-to-llvm,convert-index-to-llvm,convert-to-llvm,reconcile-unrealized-casts,"
    "canonicalize,cse"
)


def run(module: Any, *passes: str) -> None:
    PassManager.parse(f"builtin.module({','.join(passes)})").run(module.operation)


def emit(module: Any, arch: str) -> str:
    """The PTX of the module's one gpu.module."""
    for op in module.body.operations:
        if op.operation.name == "gpu.module":
            text = down_convert(str(dialect("llvm").translate_module_to_llvmir(op.operation)))
            return ptx(text, arch, "kernel")
    raise AssertionError("no gpu.module")


def scheduled_matmul(m: int, n: int, k: int) -> Any:
    """relu(a b + bias) in f32 as linalg, before any schedule."""
    return ir.Module.parse(f"""
    #map = affine_map<(d0, d1) -> (d0, d1)>
    #column = affine_map<(d0, d1) -> (d1)>
    func.func @matmul(%a: tensor<{m}x{k}xf32>, %b: tensor<{k}x{n}xf32>, %bias: tensor<{n}xf32>,
                      %out: tensor<{m}x{n}xf32> {{bufferization.writable = true}}) -> tensor<{m}x{n}xf32> {{
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty() : tensor<{m}x{n}xf32>
      %fill = linalg.fill ins(%zero : f32) outs(%empty : tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
      %product = linalg.matmul ins(%a, %b : tensor<{m}x{k}xf32>, tensor<{k}x{n}xf32>)
                               outs(%fill : tensor<{m}x{n}xf32>) -> tensor<{m}x{n}xf32>
      %result = linalg.generic {{indexing_maps = [#map, #column, #map], iterator_types = ["parallel", "parallel"]}}
          ins(%product, %bias : tensor<{m}x{n}xf32>, tensor<{n}xf32>) outs(%out : tensor<{m}x{n}xf32>) {{
      ^bb0(%x: f32, %y: f32, %o: f32):
        %s = arith.addf %x, %y : f32
        %r = arith.maximumf %s, %zero : f32
        linalg.yield %r : f32
      }} -> tensor<{m}x{n}xf32>
      return %result : tensor<{m}x{n}xf32>
    }}""")


TILE = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%module: !transform.any_op {transform.consumed}) {
    %epilogue = transform.structured.match ops{["linalg.generic"]} in %module : (!transform.any_op) -> !transform.any_op
    %matmul = transform.structured.match ops{["linalg.matmul"]} in %module : (!transform.any_op) -> !transform.any_op
    %fill = transform.structured.match ops{["linalg.fill"]} in %module : (!transform.any_op) -> !transform.any_op
    %block, %blocks = transform.structured.tile_using_forall %epilogue tile_sizes [64, 64]
        (mapping = [#gpu.block<y>, #gpu.block<x>]) : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %m1, %b1 = transform.structured.fuse_into_containing_op %matmul into %blocks
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    %f1, %b2 = transform.structured.fuse_into_containing_op %fill into %b1
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    %thread, %threads = transform.structured.tile_using_forall %block tile_sizes [4, 4]
        (mapping = [#gpu.thread<y>, #gpu.thread<x>]) : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %m2, %t1 = transform.structured.fuse_into_containing_op %m1 into %threads
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    %f2, %t2 = transform.structured.fuse_into_containing_op %f1 into %t1
        : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    %m3, %loop = transform.structured.tile_using_for %m2 tile_sizes [0, 0, 4]
        : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %function = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
    %vectors = transform.structured.vectorize_children_and_apply_patterns %function
        : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}"""
MAP = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%module: !transform.any_op {transform.consumed}) {
    %function = transform.structured.match ops{["func.func"]} in %module : (!transform.any_op) -> !transform.any_op
    transform.apply_patterns to %function {
      transform.apply_patterns.vector.lower_contraction lowering_strategy = "outerproduct"
      transform.apply_patterns.vector.lower_outerproduct
      transform.apply_patterns.vector.lower_transfer max_transfer_rank = 1
      transform.apply_patterns.vector.lower_shape_cast
      transform.apply_patterns.canonicalization
    } : !transform.any_op
    %launch = transform.gpu.map_forall_to_blocks %function generate_gpu_launch
        : (!transform.any_op) -> !transform.any_op
    %mapped = transform.gpu.map_nested_forall_to_threads %launch block_dims = [16, 16, 1] sync_after_distribute = false
        : (!transform.any_op) -> !transform.any_op
    transform.yield
  }
}"""


def apply(schedule: str, module: Any) -> None:
    sequence = ir.Module.parse(schedule)
    dialect("transform.interpreter").apply_named_sequence(module, sequence.body.operations[0], sequence)


def matmul_ptx(arch: str, m: int = 128, n: int = 192, k: int = 96) -> str:
    """A linalg matmul with bias and relu, tiled to blocks and threads by a transform schedule. Blocks of 16 x 16."""
    with make_context(), ir.Location.unknown():
        module = scheduled_matmul(m, n, k)
        apply(TILE, module)
        run(module, "canonicalize", "cse", "func.func(loop-invariant-subset-hoisting)", "canonicalize", "cse")
        run(
            module,
            "eliminate-empty-tensors",
            "one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map}",
            "drop-equivalent-buffer-results",
            "canonicalize",
            "cse",
        )
        apply(MAP, module)
        run(module, "canonicalize", "cse", "gpu-launch-sink-index-computations", "gpu-kernel-outlining")
        run(module, f"nvvm-attach-target{{chip={arch}}}", f"gpu.module({TO_NVVM})")
        return emit(module, arch)


def device_ptx(text: str, arch: str, before: str = "convert-nvgpu-to-nvvm") -> str:
    """A gpu.module written by hand, to PTX."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run(module, f"nvvm-attach-target{{chip={arch}}}", before, f"gpu.module({TO_NVVM})")
        module.operation.walk(finish)
        return emit(module, arch)


def finish(op: Any) -> Any:
    """What upstream's lowering leaves open: dynamic shared memory is extern, descriptors are constant parameters."""
    op = op.operation
    if op.name == "llvm.mlir.global" and "dynamic_shmem" in str(op.attributes["sym_name"]):
        op.attributes["linkage"] = ir.Attribute.parse("#llvm.linkage<external>")
        op.attributes["alignment"] = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), 1024)
    if op.name == "llvm.func" and "nvvm.kernel" in op.attributes and "arg_attrs" in op.attributes:
        attributes = []
        for given in ir.ArrayAttr(op.attributes["arg_attrs"]):
            kept = {named.name: named.attr for named in ir.DictAttr(given)}
            if "64 : i64" in str(kept.get("llvm.align")):  # a descriptor, by its alignment
                kept["llvm.byval"] = ir.TypeAttr.get(ir.Type.parse("!llvm.array<128 x i8>"))
                kept["nvvm.grid_constant"] = ir.UnitAttr.get()
            attributes.append(ir.DictAttr.get(kept))
        op.attributes["arg_attrs"] = ir.ArrayAttr.get(attributes)
    return ir.WalkResult.ADVANCE


# One warp a row: the maximum and the sum by butterflies.
SOFTMAX = """
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @softmax(%x: memref<64x256xf32>, %out: memref<64x256xf32>) kernel
        attributes {known_block_size = array<i32: 128, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c4 = arith.constant 4 : index
      %c32 = arith.constant 32 : index
      %c256 = arith.constant 256 : index
      %width = arith.constant 32 : i32
      %zero = arith.constant 0.0 : f32
      %lowest = arith.constant 0xFF800000 : f32
      %log2e = arith.constant 1.44269502 : f32
      %thread = gpu.thread_id x
      %block = gpu.block_id x
      %warp = arith.divui %thread, %c32 : index
      %lane = arith.remui %thread, %c32 : index
      %first = arith.muli %block, %c4 : index
      %row = arith.addi %first, %warp : index
      %most = scf.for %c = %lane to %c256 step %c32 iter_args(%m = %lowest) -> (f32) {
        %v = memref.load %x[%row, %c] : memref<64x256xf32>
        %n = arith.maximumf %m, %v : f32
        scf.yield %n : f32
      }
      %o16 = arith.constant 16 : i32
      %o8 = arith.constant 8 : i32
      %o4 = arith.constant 4 : i32
      %o2 = arith.constant 2 : i32
      %o1 = arith.constant 1 : i32
      %a1, %v1 = gpu.shuffle xor %most, %o16, %width : f32
      %m1 = arith.maximumf %most, %a1 : f32
      %a2, %v2 = gpu.shuffle xor %m1, %o8, %width : f32
      %m2 = arith.maximumf %m1, %a2 : f32
      %a3, %v3 = gpu.shuffle xor %m2, %o4, %width : f32
      %m3 = arith.maximumf %m2, %a3 : f32
      %a4, %v4 = gpu.shuffle xor %m3, %o2, %width : f32
      %m4 = arith.maximumf %m3, %a4 : f32
      %a5, %v5 = gpu.shuffle xor %m4, %o1, %width : f32
      %top = arith.maximumf %m4, %a5 : f32
      %sum = scf.for %c = %lane to %c256 step %c32 iter_args(%s = %zero) -> (f32) {
        %v = memref.load %x[%row, %c] : memref<64x256xf32>
        %d = arith.subf %v, %top : f32
        %l = arith.mulf %d, %log2e : f32
        %e = nvvm.inline_ptx "ex2.approx.ftz.f32 {$w0}, {$r0};" ro(%l : f32) -> f32
        memref.store %e, %out[%row, %c] : memref<64x256xf32>
        %t = arith.addf %s, %e : f32
        scf.yield %t : f32
      }
      %b1, %w1 = gpu.shuffle xor %sum, %o16, %width : f32
      %s1 = arith.addf %sum, %b1 : f32
      %b2, %w2 = gpu.shuffle xor %s1, %o8, %width : f32
      %s2 = arith.addf %s1, %b2 : f32
      %b3, %w3 = gpu.shuffle xor %s2, %o4, %width : f32
      %s3 = arith.addf %s2, %b3 : f32
      %b4, %w4 = gpu.shuffle xor %s3, %o2, %width : f32
      %s4 = arith.addf %s3, %b4 : f32
      %b5, %w5 = gpu.shuffle xor %s4, %o1, %width : f32
      %total = arith.addf %s4, %b5 : f32
      scf.for %c = %lane to %c256 step %c32 {
        %e = memref.load %out[%row, %c] : memref<64x256xf32>
        %q = arith.divf %e, %total : f32
        memref.store %q, %out[%row, %c] : memref<64x256xf32>
      }
      gpu.return
    }
  }
}"""

# 16 x 8 of C by a warp, through cp.async, ldmatrix and mma.sync.
TENSOR_CORES = """
!shared_a = memref<16x16xf16, #gpu.address_space<workgroup>>
!shared_b = memref<16x8xf16, #gpu.address_space<workgroup>>
module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @tensor_cores(%a: memref<64x64xf16>, %b: memref<64x32xf16>, %c: memref<64x32xf32>)
        workgroup(%sa: !shared_a, %sb: !shared_b) kernel attributes {known_block_size = array<i32: 32, 1, 1>} {
      %c0 = arith.constant 0 : index
      %c2 = arith.constant 2 : index
      %c4 = arith.constant 4 : index
      %c8 = arith.constant 8 : index
      %c16 = arith.constant 16 : index
      %c64 = arith.constant 64 : index
      %lane = gpu.thread_id x
      %bx = gpu.block_id x
      %by = gpu.block_id y
      %m = arith.muli %by, %c16 : index
      %n = arith.muli %bx, %c8 : index
      %zero = arith.constant dense<0.0> : vector<2x2xf32>
      %ra = arith.divui %lane, %c2 : index
      %qa = arith.remui %lane, %c2 : index
      %ca = arith.muli %qa, %c8 : index
      %below = arith.cmpi ult, %lane, %c16 : index
      %lr = arith.remui %lane, %c16 : index
      %lh = arith.divui %lane, %c16 : index
      %lc = arith.muli %lh, %c8 : index
      %acc = scf.for %k = %c0 to %c64 step %c16 iter_args(%sum = %zero) -> (vector<2x2xf32>) {
        %gr = arith.addi %m, %ra : index
        %gc = arith.addi %k, %ca : index
        %t0 = nvgpu.device_async_copy %a[%gr, %gc], %sa[%ra, %ca], 8 : memref<64x64xf16> to !shared_a
        scf.if %below {
          %gk = arith.addi %k, %lane : index
          %t1 = nvgpu.device_async_copy %b[%gk, %n], %sb[%lane, %c0], 8 : memref<64x32xf16> to !shared_b
        }
        %group = nvgpu.device_async_create_group
        nvgpu.device_async_wait %group {numGroups = 0 : i32}
        gpu.barrier
        %fa = nvgpu.ldmatrix %sa[%lr, %lc] {numTiles = 4 : i32, transpose = false} : !shared_a -> vector<4x2xf16>
        %fb = nvgpu.ldmatrix %sb[%lr, %c0] {numTiles = 2 : i32, transpose = true} : !shared_b -> vector<2x2xf16>
        %next = nvgpu.mma.sync (%fa, %fb, %sum) {mmaShape = [16, 8, 16]}
            : (vector<4x2xf16>, vector<2x2xf16>, vector<2x2xf32>) -> vector<2x2xf32>
        gpu.barrier
        scf.yield %next : vector<2x2xf32>
      }
      %g = arith.divui %lane, %c4 : index
      %t = arith.remui %lane, %c4 : index
      %two = arith.muli %t, %c2 : index
      %row = arith.addi %m, %g : index
      %low = arith.addi %row, %c8 : index
      %column = arith.addi %n, %two : index
      %upper = vector.extract %acc[0] : vector<2xf32> from vector<2x2xf32>
      %lower = vector.extract %acc[1] : vector<2xf32> from vector<2x2xf32>
      vector.store %upper, %c[%row, %column] : memref<64x32xf32>, vector<2xf32>
      vector.store %lower, %c[%low, %column] : memref<64x32xf32>, vector<2xf32>
      gpu.return
    }
  }
}"""

# 64 x 128 of C by a warpgroup: two stages fetched by TMA with 128-byte swizzle, B with n innermost.
MAP_TYPE = (
    "!nvgpu.tensormap.descriptor<tensor = memref<64x64xf16, 3>, swizzle = swizzle_128b, l2promo = none, oob = zero, "
    "interleave = none>"
)
DESCRIPTOR = "{llvm.align = 64 : i64}"
HOPPER = f"""
!map = {MAP_TYPE}
!bar = !nvgpu.mbarrier.group<memorySpace = #gpu.address_space<workgroup>, num_barriers = 2>
!all_a = memref<2x64x64xf16, #gpu.address_space<workgroup>>
!all_b = memref<2x64x128xf16, #gpu.address_space<workgroup>>
!a = memref<64x64xf16, strided<[64, 1], offset: ?>, #gpu.address_space<workgroup>>
!b = memref<64x128xf16, strided<[128, 1], offset: ?>, #gpu.address_space<workgroup>>
!half_b = memref<64x64xf16, #gpu.address_space<workgroup>>
!bytes = memref<?xi8, #gpu.address_space<workgroup>>
!desc_a = !nvgpu.warpgroup.descriptor<tensor = memref<64x64xf16, #gpu.address_space<workgroup>>>
!desc_b = !nvgpu.warpgroup.descriptor<tensor = memref<64x128xf16, #gpu.address_space<workgroup>>>
!tile = memref<64x128xf32, strided<[256, 1], offset: ?>>
!acc = !nvgpu.warpgroup.accumulator<fragmented = vector<64x128xf32>>
module attributes {{gpu.container_module}} {{
  gpu.module @kernels {{
    gpu.func @hopper(%pa: !llvm.ptr {DESCRIPTOR}, %pb: !llvm.ptr {DESCRIPTOR}, %c: memref<128x256xf32>)
        kernel attributes {{known_block_size = array<i32: 128, 1, 1>}} {{
      %da = builtin.unrealized_conversion_cast %pa : !llvm.ptr to !map
      %db = builtin.unrealized_conversion_cast %pb : !llvm.ptr to !map
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %c5 = arith.constant 5 : index
      %c64 = arith.constant 64 : index
      %c128 = arith.constant 128 : index
      %ticks = arith.constant 10000000 : index
      %expected = arith.constant 24576 : index
      %bx = gpu.block_id x
      %by = gpu.block_id y
      %thread = gpu.thread_id x
      %p = arith.cmpi eq, %thread, %c0 : index
      %memory = gpu.dynamic_shared_memory : !bytes
      %behind_a = arith.constant 16384 : index
      %sa = memref.view %memory[%c0][] : !bytes to !all_a
      %sb = memref.view %memory[%behind_a][] : !bytes to !all_b
      %m = arith.muli %by, %c64 : index
      %n = arith.muli %bx, %c128 : index
      %bars = nvgpu.mbarrier.create -> !bar
      nvgpu.mbarrier.init %bars[%c0], %c1, predicate = %p : !bar
      nvgpu.mbarrier.init %bars[%c1], %c1, predicate = %p : !bar
      nvvm.inline_ptx "fence.proxy.async.shared::cta;"
      gpu.barrier
      nvgpu.tma.prefetch.descriptor %da, predicate = %p : !map
      nvgpu.tma.prefetch.descriptor %db, predicate = %p : !map
      %zero = nvgpu.warpgroup.mma.init.accumulator -> !acc
      %result = scf.for %i = %c0 to %c5 step %c1 iter_args(%sum = %zero) -> (!acc) {{
        %stage = arith.remui %i, %c2 : index
        %half = arith.divui %i, %c2 : index
        %odd = arith.remui %half, %c2 : index
        %phase = arith.cmpi ne, %odd, %c0 : index
        %k = arith.muli %i, %c64 : index
        %ta = memref.subview %sa[%stage, 0, 0][1, 64, 64][1, 1, 1] : !all_a to !a
        %tb = memref.subview %sb[%stage, 0, 0][1, 64, 128][1, 1, 1] : !all_b to !b
        %c16k = arith.constant 16384 : index
        %c8k = arith.constant 8192 : index
        %skip = arith.muli %stage, %c16k : index
        %o0 = arith.addi %skip, %behind_a : index
        %o1 = arith.addi %o0, %c8k : index
        %b0 = memref.view %memory[%o0][] : !bytes to !half_b
        %b1 = memref.view %memory[%o1][] : !bytes to !half_b
        %n1 = arith.addi %n, %c64 : index
        nvgpu.mbarrier.arrive.expect_tx %bars[%stage], %expected, predicate = %p : !bar
        nvgpu.tma.async.load %da[%k, %m], %bars[%stage] to %ta, predicate = %p : !map, !bar -> !a
        nvgpu.tma.async.load %db[%n, %k], %bars[%stage] to %b0, predicate = %p : !map, !bar -> !half_b
        nvgpu.tma.async.load %db[%n1, %k], %bars[%stage] to %b1, predicate = %p : !map, !bar -> !half_b
        nvgpu.mbarrier.try_wait.parity %bars[%stage], %phase, %ticks : !bar
        %wa = nvgpu.warpgroup.generate.descriptor %ta, %da : !a, !map -> !desc_a
        %wb = nvgpu.warpgroup.generate.descriptor %tb, %db : !b, !map -> !desc_b
        %next = nvgpu.warpgroup.mma %wa, %wb, %sum {{transposeB, waitGroup = 0 : i64}} : !desc_a, !desc_b, !acc -> !acc
        gpu.barrier
        scf.yield %next : !acc
      }}
      %to = memref.subview %c[%m, %n][64, 128][1, 1] : memref<128x256xf32> to !tile
      nvgpu.warpgroup.mma.store %result, %to : !acc to !tile
      gpu.return
    }}
  }}
}}"""

KERNELS: dict[str, Callable[[], str]] = {
    "matmul_sm_80": lambda: matmul_ptx("sm_80"),
    "matmul_sm_90a": lambda: matmul_ptx("sm_90a"),
    "softmax": lambda: device_ptx(SOFTMAX, "sm_80"),
    "tensor_cores": lambda: device_ptx(TENSOR_CORES, "sm_80"),
    "hopper": lambda: device_ptx(HOPPER, "sm_90a"),
}
