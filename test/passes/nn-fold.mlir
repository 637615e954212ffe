// RUN: accelc-opt --nn-fold %s | filecheck %s

// Small results are computed; sizes of static shapes are constants.
// CHECK-LABEL: @main
// CHECK-DAG: [[SUM:%.*]] = "nn.constant"() {value = dense<[5.000000e+00, 7.000000e+00]> : tensor<2xf32>}
// CHECK-DAG: [[SHAPE:%.*]] = "nn.constant"() {value = dense<[2, 128]> : tensor<2xsi64>}
// A constant larger than its operands, but not only repeated, goes into the store.
// CHECK-DAG: [[OUTER:%.*]] = "nn.weight"() {ref = "nn.contract.{{[0-9a-f]*}}"} : () -> tensor<16x16xf32>
// Repeating a scalar is left to the kernels.
// CHECK-DAG: [[MANY:%.*]] = "nn.broadcast"({{.*}}) {dims = array<i64>} : (tensor<f32>) -> tensor<2x128xf32>
// CHECK: return [[SUM]], [[SHAPE]], [[OUTER]], [[MANY]]
func.func @main(%x: tensor<2x128xf32>) -> (tensor<2xf32>, tensor<2xsi64>, tensor<16x16xf32>, tensor<2x128xf32>) {
  %a = "nn.constant"() {value = dense<[1.0, 2.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %b = "nn.constant"() {value = dense<[4.0, 5.0]> : tensor<2xf32>} : () -> tensor<2xf32>
  %0 = "nn.add"(%a, %b) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = "nn.shape_of"(%x) : (tensor<2x128xf32>) -> tensor<2xsi64>
  %c = "nn.constant"() {value = dense<[1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15., 16.]> : tensor<16xf32>} : () -> tensor<16xf32>
  %2 = "nn.contract"(%c, %c) {spec = "i,j->ij"} : (tensor<16xf32>, tensor<16xf32>) -> tensor<16x16xf32>
  %s = "nn.constant"() {value = dense<3.0> : tensor<f32>} : () -> tensor<f32>
  %3 = "nn.broadcast"(%s) {dims = array<i64>} : (tensor<f32>) -> tensor<2x128xf32>
  %4 = "nn.mul"(%3, %3) : (tensor<2x128xf32>, tensor<2x128xf32>) -> tensor<2x128xf32>
  return %0, %1, %2, %4 : tensor<2xf32>, tensor<2xsi64>, tensor<16x16xf32>, tensor<2x128xf32>
}
