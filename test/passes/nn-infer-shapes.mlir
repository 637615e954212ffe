// RUN: accelc-opt --pass-pipeline='builtin.module(nn-infer-shapes{dims=batch:8})' %s | filecheck %s

// The symbol gets its size; what the model computes from shapes follows.
// CHECK-LABEL: func.func @main(%arg0: tensor<8x4xf32>
// CHECK-SAME: -> (tensor<8x2x2xf32>, tensor<16x2xf32>)
// CHECK: "nn.reshape"({{.*}}) : (tensor<8x4xf32>) -> tensor<8x2x2xf32>
// CHECK-NOT: dynamic_reshape
// CHECK: "nn.reshape"({{.*}}) : (tensor<8x4xf32>) -> tensor<16x2xf32>
func.func @main(%x: tensor<?x4xf32> {nn.dims = ["batch", "4"]}) -> (tensor<?x2x2xf32>, tensor<?x?xf32>) {
  %0 = "nn.relu"(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = "nn.reshape"(%0) : (tensor<?x4xf32>) -> tensor<?x2x2xf32>
  %2 = "nn.shape_of"(%x) : (tensor<?x4xf32>) -> tensor<2xsi64>
  %3 = "nn.constant"() {value = dense<[2, 2]> : tensor<2xsi64>} : () -> tensor<2xsi64>
  %4 = "nn.constant"() {value = dense<[1, 2]> : tensor<2xsi64>} : () -> tensor<2xsi64>
  %5 = "nn.mul"(%2, %3) : (tensor<2xsi64>, tensor<2xsi64>) -> tensor<2xsi64>
  %6 = "nn.mul"(%4, %3) : (tensor<2xsi64>, tensor<2xsi64>) -> tensor<2xsi64>
  %7 = "nn.div"(%5, %4) : (tensor<2xsi64>, tensor<2xsi64>) -> tensor<2xsi64>
  %8 = "nn.constant"() {value = dense<[1, 2]> : tensor<2xsi64>} : () -> tensor<2xsi64>
  %9 = "nn.div"(%7, %8) : (tensor<2xsi64>, tensor<2xsi64>) -> tensor<2xsi64>
  %10 = "nn.dynamic_reshape"(%0, %9) : (tensor<?x4xf32>, tensor<2xsi64>) -> tensor<?x?xf32>
  return %1, %10 : tensor<?x2x2xf32>, tensor<?x?xf32>
}
