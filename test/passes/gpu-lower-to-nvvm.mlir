// RUN: accelc-opt %s --gpu-lower-to-nvvm | filecheck %s

// Every function becomes a kernel on bare pointers; thread and block numbers are special registers; bf16 goes by f32.

// CHECK: llvm.func @entry(%arg0: !llvm.ptr, %arg1: !llvm.ptr, %arg2: !llvm.ptr) attributes {{.*}}nvvm.kernel
// CHECK: nvvm.read.ptx.sreg.ctaid.x
// CHECK: nvvm.read.ptx.sreg.ntid.x
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK: llvm.cond_br
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> bf16
// CHECK: llvm.fadd %{{.*}}, %{{.*}} : f32
// CHECK: llvm.bitcast %{{.*}} : i16 to bf16
// CHECK: llvm.store
// CHECK: llvm.func @entry_1({{.*}}) attributes {{.*}}nvvm.kernel
module @k0 attributes {accelc.tiles = 1 : i64, accelc.workspace_bytes = 0 : i64, gpu.launches = array<i64: 32, 1>} {
  func.func @entry(%x: memref<32xbf16>, %out: memref<32xbf16>, %workspace: memref<1xi8>) {
    %c32 = arith.constant 32 : index
    %block = gpu.block_id x
    %size = gpu.block_dim x
    %thread = gpu.thread_id x
    %first = arith.muli %block, %size : index
    %at = arith.addi %first, %thread : index
    %inside = arith.cmpi ult, %at, %c32 : index
    scf.if %inside {
      %v = memref.load %x[%at] : memref<32xbf16>
      %w = arith.addf %v, %v : bf16
      memref.store %w, %out[%at] : memref<32xbf16>
    }
    return
  }
  func.func @entry_1(%x: memref<32xbf16>, %out: memref<32xbf16>, %workspace: memref<1xi8>) {
    return
  }
}
