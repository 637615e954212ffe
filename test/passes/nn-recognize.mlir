// RUN: accelc-opt --pass-pipeline='builtin.module(nn-simplify,nn-recognize)' --split-input-file %s | filecheck %s

// CHECK-LABEL: @softmax
// CHECK-NEXT: "nn.softmax"(%arg0) {axis = 1 : i64}
// CHECK-NEXT: return
func.func @softmax(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %0 = "nn.reduce"(%x) {kind = "max", axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2xf32>
  %1 = "nn.reshape"(%0) : (tensor<2xf32>) -> tensor<2x1xf32>
  %2 = "nn.broadcast"(%1) {dims = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<2x8xf32>
  %3 = "nn.sub"(%x, %2) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %4 = "nn.exp"(%3) : (tensor<2x8xf32>) -> tensor<2x8xf32>
  %5 = "nn.reduce"(%4) {kind = "sum", axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2xf32>
  %6 = "nn.reshape"(%5) : (tensor<2xf32>) -> tensor<2x1xf32>
  %7 = "nn.broadcast"(%6) {dims = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<2x8xf32>
  %8 = "nn.div"(%4, %7) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  return %8 : tensor<2x8xf32>
}

// -----

// The norm with the scale and the bias after it, as exporters write it: statistics keep their dimension.
// CHECK-LABEL: @layer_norm
// CHECK-NEXT: "nn.layer_norm"(%arg0, %arg1, %arg2) {axis = 1 : i64, epsilon = {{.*}} : f64}
// CHECK-NEXT: return
func.func @layer_norm(%x: tensor<2x8xf32>, %s: tensor<8xf32>, %b: tensor<8xf32>) -> tensor<2x8xf32> {
  %0 = "nn.reduce"(%x) {kind = "mean", axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2xf32>
  %1 = "nn.reshape"(%0) : (tensor<2xf32>) -> tensor<2x1xf32>
  %2 = "nn.broadcast"(%1) {dims = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<2x8xf32>
  %3 = "nn.sub"(%x, %2) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %two = "nn.constant"() {value = dense<2.0> : tensor<2x8xf32>} : () -> tensor<2x8xf32>
  %4 = "nn.pow"(%3, %two) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %5 = "nn.reduce"(%4) {kind = "mean", axes = array<i64: 1>} : (tensor<2x8xf32>) -> tensor<2xf32>
  %6 = "nn.reshape"(%5) : (tensor<2xf32>) -> tensor<2x1xf32>
  %e = "nn.constant"() {value = dense<1.0e-05> : tensor<2x1xf32>} : () -> tensor<2x1xf32>
  %7 = "nn.add"(%6, %e) : (tensor<2x1xf32>, tensor<2x1xf32>) -> tensor<2x1xf32>
  %8 = "nn.sqrt"(%7) : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %9 = "nn.broadcast"(%8) {dims = array<i64: 0, 1>} : (tensor<2x1xf32>) -> tensor<2x8xf32>
  %10 = "nn.div"(%3, %9) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %11 = "nn.broadcast"(%s) {dims = array<i64: 1>} : (tensor<8xf32>) -> tensor<2x8xf32>
  %12 = "nn.mul"(%10, %11) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  %13 = "nn.broadcast"(%b) {dims = array<i64: 1>} : (tensor<8xf32>) -> tensor<2x8xf32>
  %14 = "nn.add"(%12, %13) : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  return %14 : tensor<2x8xf32>
}

// -----

// CHECK-LABEL: @gelu
// CHECK: "nn.gelu"(%arg0) {approximate = "none"}
// CHECK-NOT: erf
func.func @gelu(%x: tensor<8xf32>) -> tensor<8xf32> {
  %root = "nn.constant"() {value = dense<1.41421354> : tensor<8xf32>} : () -> tensor<8xf32>
  %one = "nn.constant"() {value = dense<1.0> : tensor<8xf32>} : () -> tensor<8xf32>
  %half = "nn.constant"() {value = dense<0.5> : tensor<8xf32>} : () -> tensor<8xf32>
  %0 = "nn.div"(%x, %root) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %1 = "nn.erf"(%0) : (tensor<8xf32>) -> tensor<8xf32>
  %2 = "nn.add"(%1, %one) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %3 = "nn.mul"(%x, %2) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  %4 = "nn.mul"(%3, %half) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %4 : tensor<8xf32>
}

// -----

// CHECK-LABEL: @silu
// CHECK-NEXT: "nn.silu"(%arg0)
func.func @silu(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = "nn.sigmoid"(%x) : (tensor<8xf32>) -> tensor<8xf32>
  %1 = "nn.mul"(%0, %x) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

// Attention as exporters leave it, heads in the third dimension, with a scale and a mask that is added.
// CHECK-LABEL: func.func @attention
// CHECK-DAG: [[Q:%.*]] = "nn.transpose"(%arg0) {perm = array<i64: 0, 2, 1, 3>}
// CHECK-DAG: [[K:%.*]] = "nn.transpose"(%arg1) {perm = array<i64: 0, 2, 1, 3>}
// CHECK-DAG: [[V:%.*]] = "nn.transpose"(%arg2) {perm = array<i64: 0, 2, 1, 3>}
// CHECK: [[R:%.*]] = "nn.attention"([[Q]], [[K]], [[V]], {{.*}}) {causal = false, {{.*}}scale = 5.000000e-01 : f64}
// CHECK: [[O:%.*]] = "nn.transpose"([[R]]) {perm = array<i64: 0, 2, 1, 3>}
// CHECK: return [[O]]
func.func @attention(%q: tensor<1x6x2x4xf32>, %k: tensor<1x5x2x4xf32>, %v: tensor<1x5x2x3xf32>, %m: tensor<5xf32>) -> tensor<1x6x2x3xf32> {
  %0 = "nn.contract"(%q, %k) {spec = "ambk,anbk->abmn"} : (tensor<1x6x2x4xf32>, tensor<1x5x2x4xf32>) -> tensor<1x2x6x5xf32>
  %c = "nn.constant"() {value = dense<5.000000e-01> : tensor<f32>} : () -> tensor<f32>
  %s = "nn.broadcast"(%c) {dims = array<i64>} : (tensor<f32>) -> tensor<1x2x6x5xf32>
  %1 = "nn.mul"(%0, %s) : (tensor<1x2x6x5xf32>, tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  %b = "nn.broadcast"(%m) {dims = array<i64: 3>} : (tensor<5xf32>) -> tensor<1x2x6x5xf32>
  %2 = "nn.add"(%1, %b) : (tensor<1x2x6x5xf32>, tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  %3 = "nn.softmax"(%2) {axis = 3 : i64} : (tensor<1x2x6x5xf32>) -> tensor<1x2x6x5xf32>
  %4 = "nn.contract"(%3, %v) {spec = "abmk,akbn->ambn"} : (tensor<1x2x6x5xf32>, tensor<1x5x2x3xf32>) -> tensor<1x6x2x3xf32>
  return %4 : tensor<1x6x2x3xf32>
}
