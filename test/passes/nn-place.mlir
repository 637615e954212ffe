// RUN: accelc-opt --pass-pipeline='builtin.module(nn-place{unsupported=topk,*:f64})' %s | filecheck %s

// CHECK-LABEL: @main
// CHECK: "nn.topk"({{.*}}) {{{.*}}device = "host"
// CHECK: "nn.exp"({{.*}}) {device = "host"} : (tensor<4xf64>)
// CHECK: "nn.exp"({{%[^ ]*}}) : (tensor<4xf32>)
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf64>) -> (tensor<2xf32>, tensor<4xf64>, tensor<4xf32>) {
  %0:2 = "nn.topk"(%x) {k = 2 : i64, axis = 0 : i64, largest = true} : (tensor<4xf32>) -> (tensor<2xf32>, tensor<2xsi64>)
  %1 = "nn.exp"(%y) : (tensor<4xf64>) -> tensor<4xf64>
  %2 = "nn.exp"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0#0, %1, %2 : tensor<2xf32>, tensor<4xf64>, tensor<4xf32>
}
