// RUN: accelc-opt --nn-simplify --split-input-file %s | filecheck %s

// Two transposes and two reshapes that undo each other.
// CHECK-LABEL: @movement
// CHECK-NEXT: return %arg0
func.func @movement(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.transpose"(%x) {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %1 = "nn.transpose"(%0) {perm = array<i64: 1, 2, 0>} : (tensor<4x2x3xf32>) -> tensor<2x3x4xf32>
  %2 = "nn.reshape"(%1) : (tensor<2x3x4xf32>) -> tensor<24xf32>
  %3 = "nn.reshape"(%2) : (tensor<24xf32>) -> tensor<2x3x4xf32>
  return %3 : tensor<2x3x4xf32>
}

// -----

// Neutral elements, a power, and division by a power of two.
// CHECK-LABEL: @arithmetic
// CHECK: [[SQUARE:%.*]] = "nn.mul"(%arg0, %arg0)
// CHECK: [[HALF:%.*]] = "nn.broadcast"
// CHECK: [[Y:%.*]] = "nn.mul"([[SQUARE]], [[HALF]])
// CHECK: return [[Y]]
func.func @arithmetic(%x: tensor<4xf32>) -> tensor<4xf32> {
  %zero = "nn.constant"() {value = dense<0.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %one = "nn.constant"() {value = dense<1.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %two = "nn.constant"() {value = dense<2.0> : tensor<4xf32>} : () -> tensor<4xf32>
  %0 = "nn.add"(%x, %zero) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %1 = "nn.mul"(%one, %0) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %2 = "nn.pow"(%1, %two) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %3 = "nn.div"(%2, %two) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %3 : tensor<4xf32>
}

// -----

// Transposes on either side, and a broadcast along the batch, go into the spec.
// CHECK-LABEL: @contract
// CHECK-NEXT: [[Y:%.*]] = "nn.contract"(%arg0, %arg1) {spec = "bmk,nk->bnm"} : (tensor<2x3x4xf32>, tensor<5x4xf32>) -> tensor<2x5x3xf32>
// CHECK-NEXT: return [[Y]]
func.func @contract(%a: tensor<2x3x4xf32>, %b: tensor<5x4xf32>) -> tensor<2x5x3xf32> {
  %0 = "nn.transpose"(%b) {perm = array<i64: 1, 0>} : (tensor<5x4xf32>) -> tensor<4x5xf32>
  %1 = "nn.broadcast"(%0) {dims = array<i64: 1, 2>} : (tensor<4x5xf32>) -> tensor<2x4x5xf32>
  %2 = "nn.contract"(%a, %1) {spec = "bmk,bkn->bmn"} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  %3 = "nn.transpose"(%2) {perm = array<i64: 0, 2, 1>} : (tensor<2x3x5xf32>) -> tensor<2x5x3xf32>
  return %3 : tensor<2x5x3xf32>
}

// -----

// A pad with zeros joins the convolution's own.
// CHECK-LABEL: @pad
// CHECK: "nn.conv"(%arg0, %arg1) {{.*}}pads_high = array<i64: 1, 2>, pads_low = array<i64: 2, 1>
// CHECK-NOT: nn.pad
func.func @pad(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x3x3xf32>) -> tensor<1x1x5x5xf32> {
  %zero = "nn.constant"() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %0 = "nn.pad"(%x, %zero) {low = array<i64: 0, 0, 1, 0>, high = array<i64: 0, 0, 0, 1>} : (tensor<1x1x4x4xf32>, tensor<f32>) -> tensor<1x1x5x5xf32>
  %1 = "nn.conv"(%0, %w) {strides = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nchw"} : (tensor<1x1x5x5xf32>, tensor<1x1x3x3xf32>) -> tensor<1x1x5x5xf32>
  return %1 : tensor<1x1x5x5xf32>
}
