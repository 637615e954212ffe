// RUN: accelc-opt --nn-fuse --split-input-file %s | filecheck %s

// The bias and the residual sum go with the contraction, the norm gets a kernel of its own.
// CHECK-LABEL: @transformer
// CHECK: [[SUM:%.*]] = "nn.fusion"
// CHECK: "nn.contract"
// CHECK-NEXT: "nn.broadcast"
// CHECK-NEXT: "nn.add"
// CHECK-NEXT: "nn.add"
// CHECK-NEXT: "nn.yield"
// CHECK: [[NORM:%.*]] = "nn.fusion"([[SUM]]
// CHECK: "nn.layer_norm"
// CHECK-NEXT: "nn.yield"
// CHECK: return [[NORM]], [[SUM]]
func.func @transformer(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %b: tensor<8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "nn.broadcast"(%b) {dims = array<i64: 1>} : (tensor<8xf32>) -> tensor<4x8xf32>
  %2 = "nn.add"(%0, %1) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = "nn.add"(%2, %x) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = "nn.layer_norm"(%3, %b, %b) {axis = 1 : i64, epsilon = 1.0e-05 : f64} : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  return %4, %3 : tensor<4x8xf32>, tensor<4x8xf32>
}

// -----

// A diamond after a contraction is one epilogue; two contractions are two kernels.
// CHECK-LABEL: @diamond
// CHECK: [[G:%.*]] = "nn.fusion"
// CHECK: "nn.contract"
// CHECK-NEXT: "nn.yield"
// CHECK: "nn.fusion"({{.*}}[[G]]
// CHECK: "nn.contract"
// CHECK-NEXT: "nn.tanh"
// CHECK-NEXT: "nn.exp"
// CHECK-NEXT: "nn.mul"
// CHECK-NEXT: "nn.mul"
// CHECK-NEXT: "nn.yield"
func.func @diamond(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>, %v: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %g = "nn.contract"(%x, %v) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "nn.tanh"(%0) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = "nn.exp"(%0) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %3 = "nn.mul"(%1, %2) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  %4 = "nn.mul"(%3, %g) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %4 : tensor<4x8xf32>
}

// -----

// No cycle: the second sum reads the contraction by way of the softmax, so it cannot join the first kernel.
// CHECK-LABEL: @cycle
// CHECK: [[A:%.*]] = "nn.fusion"
// CHECK: "nn.contract"
// CHECK-NEXT: "nn.yield"
// CHECK: "nn.fusion"([[A]])
// CHECK: "nn.softmax"
func.func @cycle(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "nn.softmax"(%0) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = "nn.contract"(%1, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %3 = "nn.add"(%0, %2) : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %3 : tensor<4x8xf32>
}

// -----

// What runs on the host does not join what runs on the target.
// CHECK-LABEL: @devices
// CHECK: "nn.exp"
// CHECK-NEXT: "nn.yield"
// CHECK: device = "host"
// CHECK: "nn.tanh"
func.func @devices(%x: tensor<8xf32>) -> tensor<8xf32> {
  %0 = "nn.exp"(%x) {device = "host"} : (tensor<8xf32>) -> tensor<8xf32>
  %1 = "nn.tanh"(%0) : (tensor<8xf32>) -> tensor<8xf32>
  return %1 : tensor<8xf32>
}
