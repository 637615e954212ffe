// RUN: accelc-opt --nn-decompose %s | filecheck %s

// CHECK-LABEL: @main
// CHECK: [[S:%.*]] = "nn.contract"(%arg0, %arg1) {spec = "abld,absd->abls"}
// CHECK: "nn.mul"([[S]]
// CHECK: "nn.select"
// CHECK: [[P:%.*]] = "nn.softmax"({{.*}}) {axis = 3 : i64}
// CHECK: "nn.contract"([[P]], %arg2) {spec = "abls,abse->able"}
// CHECK: "nn.gather"({{.*}}) {axis = 3 : i64}
func.func @main(%q: tensor<1x2x5x4xf32>, %k: tensor<1x2x5x4xf32>, %v: tensor<1x2x5x4xf32>) -> tensor<1x2x5x8xf32> {
  %0 = "nn.attention"(%q, %k, %v) {scale = 0.25 : f64, causal = true} : (tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>) -> tensor<1x2x5x4xf32>
  %1 = "nn.resize"(%0) {mode = "nearest", coordinate = "asymmetric", nearest = "floor", scales = array<f64: 1.0, 1.0, 1.0, 2.0>, roi = array<f64>, cubic_a = -0.75 : f64, exclude_outside = false, extrapolation = 0.0 : f64, antialias = false} : (tensor<1x2x5x4xf32>) -> tensor<1x2x5x8xf32>
  return %1 : tensor<1x2x5x8xf32>
}
