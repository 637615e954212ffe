// RUN: accelc-opt %s --gpu-split-launches | filecheck %s

// Each parallel nest becomes a launch with a thread for each iteration, what lies between two a launch of one thread.
// Every launch reads what it needs itself: loads of what nobody writes any more are repeated.

// CHECK: module @k0 attributes {{.*}}gpu.launches = array<i64: 12, 1, 8>
module @k0 attributes {accelc.tiles = 1 : i64, accelc.workspace_bytes = 64 : i64} {
  // CHECK: func.func @entry(
  // CHECK-DAG: %[[TOTAL:.*]] = arith.constant 12 : index
  // CHECK-DAG: %[[BLOCK:.*]] = gpu.block_id x
  // CHECK-DAG: %[[SIZE:.*]] = gpu.block_dim x
  // CHECK-DAG: %[[THREAD:.*]] = gpu.thread_id x
  // CHECK: %[[AT:.*]] = arith.addi %{{.*}}, %[[THREAD]]
  // CHECK: %[[INSIDE:.*]] = arith.cmpi ult, %[[AT]], %[[TOTAL]]
  // CHECK: scf.if %[[INSIDE]]
  // CHECK: memref.load %arg0
  // CHECK: memref.store

  // CHECK: func.func @entry_1(
  // CHECK: arith.cmpi eq
  // CHECK: scf.if
  // CHECK: scf.for
  // CHECK: memref.load
  // CHECK: math.sqrt
  // CHECK: memref.store

  // CHECK: func.func @entry_2(
  // CHECK: memref.load %arg0
  // CHECK: scf.if
  // CHECK: memref.store %{{.*}}, %arg1
  func.func @entry(%x: memref<4x6xf32>, %out: memref<8xf32>, %workspace: memref<64xi8>)
      attributes {accelc.num_outputs = 1 : i64} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c4 = arith.constant 4 : index
    %c6 = arith.constant 6 : index
    %c8 = arith.constant 8 : index
    %zero = arith.constant 0.0 : f32
    %sums = memref.view %workspace[%c0][] : memref<64xi8> to memref<12xf32>
    %bias = memref.load %x[%c0, %c0] : memref<4x6xf32>
    scf.parallel (%i, %j) = (%c0, %c0) to (%c4, %c6) step (%c1, %c2) {
      %a = memref.load %x[%i, %j] : memref<4x6xf32>
      %b = arith.addf %a, %bias : f32
      memref.store %b, %sums[%i] : memref<12xf32>
      scf.reduce
    }
    %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %zero) -> f32 {
      %a = memref.load %sums[%i] : memref<12xf32>
      %t = arith.addf %s, %a : f32
      scf.yield %t : f32
    }
    %root = math.sqrt %sum : f32
    memref.store %root, %sums[%c0] : memref<12xf32>
    scf.parallel (%i) = (%c0) to (%c8) step (%c1) {
      %a = memref.load %sums[%c0] : memref<12xf32>
      %b = arith.mulf %a, %bias : f32
      memref.store %b, %out[%i] : memref<8xf32>
      scf.reduce
    }
    return
  }
}
