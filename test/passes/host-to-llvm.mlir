// RUN: accelc-opt %s --host-to-llvm | filecheck %s

// The entry takes an array of pointers and the range of tiles, and hands them to the body, whose pointers do not alias.

// CHECK: module @k0
// CHECK: llvm.func internal @body(%arg0: !llvm.ptr {llvm.noalias}, %arg1: !llvm.ptr {llvm.noalias}, %arg2: !llvm.ptr {llvm.noalias}, %arg3: i64, %arg4: i64)
// CHECK: llvm.load {{.*}} -> vector<8xf32>
// CHECK: llvm.fadd {{.*}} : vector<8xf32>
// CHECK: llvm.store
// CHECK: llvm.func @entry(%arg0: !llvm.ptr, %arg1: i64, %arg2: i64)
// CHECK: llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.call @body
module @k0 attributes {accelc.tiles = 4 : i64, accelc.workspace_bytes = 0 : i64, host.vectorized} {
  func.func @entry(%x: memref<32xf32>, %out: memref<32xf32>, %workspace: memref<1xi8>, %begin: index, %end: index) {
    %one = arith.constant 1 : index
    %eight = arith.constant 8 : index
    scf.for %tile = %begin to %end step %one {
      %at = arith.muli %tile, %eight : index
      %v = vector.load %x[%at] : memref<32xf32>, vector<8xf32>
      %w = arith.addf %v, %v : vector<8xf32>
      vector.store %w, %out[%at] : memref<32xf32>, vector<8xf32>
    }
    return
  }
}
