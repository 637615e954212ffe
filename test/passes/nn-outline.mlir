// RUN: accelc-opt --nn-outline --mlir-print-debuginfo %s | filecheck %s

// Equal ops share a kernel; a reshape is a view; the last launch writes the output; a splat is part of its kernel.
// CHECK: [[FIRST:#loc[0-9]*]] = loc("first")
// CHECK: module @k0 attributes {accelc.device = "target"}
// CHECK: func.func @entry(%arg0: tensor<4x2xf32>{{.*}}, %arg1: tensor<4x2xf32>{{.*}}) -> tensor<4x2xf32> attributes {accelc.num_outputs = 1 : i64}
// CHECK: "nn.exp"
// CHECK: module @k1
// CHECK: func.func @entry(%arg0: tensor<8xf32>{{.*}}, %arg1: tensor<8xf32> {accelc.constant}{{.*}}, %arg2: tensor<8xf32>
// CHECK: "nn.mul"
// CHECK: func.func @main(%arg0: memref<4x2xf32> {nn.name = "x"}{{.*}}, %arg1: memref<8xf32> {nn.name = "y"}{{.*}}) attributes {plan.num_outputs = 1 : i64}
// CHECK: [[W:%.*]] = "plan.constant"() {ref = "w"}
// CHECK: [[A:%.*]] = "plan.alloc"() : () -> memref<4x2xf32>
// CHECK: "plan.launch"(%arg0, [[A]]) {kernel = @k0::@entry
// CHECK-SAME: loc([[FIRST]])
// CHECK: [[B:%.*]] = "plan.alloc"()
// CHECK: "plan.launch"([[A]], [[B]]) {kernel = @k0::@entry
// CHECK: [[V:%.*]] = "plan.view"([[B]]) : (memref<4x2xf32>) -> memref<8xf32>
// CHECK: "plan.launch"([[V]], [[W]], %arg1) {kernel = @k1::@entry
func.func @main(%x: tensor<4x2xf32> {nn.name = "x"}) -> (tensor<8xf32> {nn.name = "y"}) {
  %w = "nn.weight"() {ref = "w"} : () -> tensor<8xf32>
  %0 = "nn.exp"(%x) : (tensor<4x2xf32>) -> tensor<4x2xf32> loc("first")
  %1 = "nn.exp"(%0) : (tensor<4x2xf32>) -> tensor<4x2xf32> loc("second")
  %2 = "nn.reshape"(%1) : (tensor<4x2xf32>) -> tensor<8xf32>
  %3 = "nn.mul"(%2, %w) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %3 : tensor<8xf32>
}
