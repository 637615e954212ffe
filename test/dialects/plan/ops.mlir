// RUN: accelc-opt %s | accelc-opt | filecheck %s

// CHECK-LABEL: func.func @main(%arg0: memref<4xsi8> {nn.name = "x"}, %arg1: memref<2x2xsi8> {nn.name = "y"})
// CHECK: "plan.constant"() {ref = "w"} : () -> memref<4xsi8>
// CHECK: [[A:%.*]] = "plan.alloc"() {offset = 0 : i64} : () -> memref<2x2xsi8>
// CHECK: "plan.view"([[A]]) : (memref<2x2xsi8>) -> memref<4xsi8>
// CHECK: "plan.launch"(%arg0, [[A]]) {kernel = @k0::@entry, num_outputs = 1 : i64
// CHECK: "plan.copy"([[A]], %arg1) : (memref<2x2xsi8>, memref<2x2xsi8>) -> ()
module @k0 attributes {accelc.device = "target"} {
  func.func @entry(%x: tensor<4xi8>, %out: tensor<2x2xi8>) -> tensor<2x2xi8> attributes {accelc.num_outputs = 1 : i64} {
    return %out : tensor<2x2xi8>
  }
}
func.func @main(%x: memref<4xsi8> {nn.name = "x"}, %y: memref<2x2xsi8> {nn.name = "y"}) attributes {plan.num_outputs = 1 : i64} {
  %w = "plan.constant"() {ref = "w"} : () -> memref<4xsi8>
  %a = "plan.alloc"() {offset = 0 : i64} : () -> memref<2x2xsi8>
  %v = "plan.view"(%a) : (memref<2x2xsi8>) -> memref<4xsi8>
  "plan.launch"(%x, %a) {kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<4xsi8>, memref<2x2xsi8>) -> ()
  "plan.copy"(%a, %y) : (memref<2x2xsi8>, memref<2x2xsi8>) -> ()
  return
}
