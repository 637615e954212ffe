// RUN: accelc-opt --plan-memory %s | filecheck %s

// %a dies when %b is written, so %c takes its place; a view keeps %b alive until the last launch.
// CHECK: @main
// CHECK-SAME: plan.arena_bytes = 512 : i64, plan.arena_bytes_without_reuse = 768 : i64
// CHECK: "plan.alloc"() {offset = 0 : i64}
// CHECK: "plan.alloc"() {offset = 256 : i64}
// CHECK: "plan.alloc"() {offset = 0 : i64}
module @k0 {
  func.func @entry(%x: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32> attributes {accelc.num_outputs = 1 : i64} {
    return %out : tensor<64xf32>
  }
}
module @k1 {
  func.func @entry(%x: tensor<64xf32>, %y: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32> attributes {accelc.num_outputs = 1 : i64} {
    return %out : tensor<64xf32>
  }
}
func.func @main(%x: memref<64xf32>, %y: memref<64xf32>) attributes {plan.num_outputs = 1 : i64} {
  %a = "plan.alloc"() : () -> memref<64xf32>
  "plan.launch"(%x, %a) {kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<64xf32>, memref<64xf32>) -> ()
  %b = "plan.alloc"() : () -> memref<64xf32>
  "plan.launch"(%a, %b) {kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<64xf32>, memref<64xf32>) -> ()
  %v = "plan.view"(%b) : (memref<64xf32>) -> memref<8x8xf32>
  %u = "plan.view"(%v) : (memref<8x8xf32>) -> memref<64xf32>
  %c = "plan.alloc"() : () -> memref<64xf32>
  "plan.launch"(%b, %c) {kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<64xf32>, memref<64xf32>) -> ()
  "plan.launch"(%c, %u, %y) {kernel = @k1::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<64xf32>, memref<64xf32>, memref<64xf32>) -> ()
  return
}
