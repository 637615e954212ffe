// RUN: accelc-opt --nn-fold-norms %s | filecheck %s

// s = scale / sqrt(var + epsilon) = [2, 3]; the filter [1, 1] becomes [2, 3], the shift bias - mean * s = [1, -3].
// CHECK-LABEL: @main
// CHECK-DAG: [[W:%.*]] = "nn.constant"() {value = dense<{{.*}}2.000000e+00{{.*}}3.000000e+00{{.*}}> : tensor<2x1x1x1xf32>}
// CHECK-DAG: [[T:%.*]] = "nn.constant"() {value = dense<[1.000000e+00, -3.000000e+00]> : tensor<2xf32>}
// CHECK-DAG: [[B:%.*]] = "nn.broadcast"([[T]]) {dims = array<i64: 1>}
// CHECK-DAG: [[C:%.*]] = "nn.conv"(%arg0, [[W]])
// CHECK: "nn.add"([[C]], [[B]])
// CHECK-NOT: batch_norm
func.func @main(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %w = "nn.constant"() {value = dense<1.0> : tensor<2x1x1x1xf32>} : () -> tensor<2x1x1x1xf32>
  %scale = "nn.constant"() {value = dense<[2.0, 6.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %bias = "nn.constant"() {value = dense<[1.0, 0.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %mean = "nn.constant"() {value = dense<[0.0, 1.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %var = "nn.constant"() {value = dense<[1.0, 4.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nchw"} : (tensor<1x1x4x4xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x4x4xf32>
  %1 = "nn.batch_norm"(%0, %scale, %bias, %mean, %var) {epsilon = 0.0 : f64, axis = 1 : i64} : (tensor<1x2x4x4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  return %1 : tensor<1x2x4x4xf32>
}
