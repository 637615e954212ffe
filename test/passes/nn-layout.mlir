// RUN: accelc-opt --nn-layout --split-input-file %s | filecheck %s

// One transpose in, one out; the relu between works channels last; the filter is permuted, OIHW to HWIO.
// CHECK-LABEL: @convolutions
// CHECK: [[X:%.*]] = "nn.transpose"(%arg0) {perm = array<i64: 0, 2, 3, 1>}
// CHECK: [[W:%.*]] = "nn.transpose"(%arg1) {perm = array<i64: 2, 3, 1, 0>}
// CHECK: [[C:%.*]] = "nn.conv"([[X]], [[W]]) {{.*}}layout = "nhwc"
// CHECK: [[R:%.*]] = "nn.relu"([[C]]) : (tensor<1x6x6x8xf32>)
// CHECK: [[P:%.*]] = "nn.pool"([[R]]) {{.*}}layout = "nhwc"
// CHECK: [[Y:%.*]] = "nn.transpose"([[P]]) {perm = array<i64: 0, 3, 1, 2>}
// CHECK: return [[Y]]
func.func @convolutions(%x: tensor<1x4x6x6xf32>, %w: tensor<8x4x1x1xf32>) -> tensor<1x8x3x3xf32> {
  %0 = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nchw"} : (tensor<1x4x6x6xf32>, tensor<8x4x1x1xf32>) -> tensor<1x8x6x6xf32>
  %1 = "nn.relu"(%0) : (tensor<1x8x6x6xf32>) -> tensor<1x8x6x6xf32>
  %2 = "nn.pool"(%1) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = false, p = 2 : i64, layout = "nchw"} : (tensor<1x8x6x6xf32>) -> tensor<1x8x3x3xf32>
  return %2 : tensor<1x8x3x3xf32>
}

// -----

// A channel shuffle becomes one transpose of the two parts of the channel, which lie last.
// CHECK-LABEL: @shuffle
// CHECK: [[R:%.*]] = "nn.relu"
// CHECK: [[S:%.*]] = "nn.reshape"({{.*}}) : (tensor<1x6x6x8xf32>) -> tensor<1x6x6x2x4xf32>
// CHECK: [[T:%.*]] = "nn.transpose"([[S]]) {perm = array<i64: 0, 1, 2, 4, 3>}
// CHECK: [[U:%.*]] = "nn.reshape"([[T]]) : (tensor<1x6x6x4x2xf32>) -> tensor<1x6x6x8xf32>
// CHECK: "nn.pool"([[U]])
func.func @shuffle(%x: tensor<1x8x6x6xf32>) -> tensor<1x8x3x3xf32> {
  %0 = "nn.relu"(%x) : (tensor<1x8x6x6xf32>) -> tensor<1x8x6x6xf32>
  %p = "nn.pool"(%0) {kind = "max", kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = false, p = 2 : i64, layout = "nchw"} : (tensor<1x8x6x6xf32>) -> tensor<1x8x6x6xf32>
  %1 = "nn.reshape"(%p) : (tensor<1x8x6x6xf32>) -> tensor<1x2x4x6x6xf32>
  %2 = "nn.transpose"(%1) {perm = array<i64: 0, 2, 1, 3, 4>} : (tensor<1x2x4x6x6xf32>) -> tensor<1x4x2x6x6xf32>
  %3 = "nn.reshape"(%2) : (tensor<1x4x2x6x6xf32>) -> tensor<1x8x6x6xf32>
  %4 = "nn.pool"(%3) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, count_include_pad = false, p = 2 : i64, layout = "nchw"} : (tensor<1x8x6x6xf32>) -> tensor<1x8x3x3xf32>
  return %4 : tensor<1x8x3x3xf32>
}

// -----

// The transposes of an attention block go into the specs.
// CHECK-LABEL: @heads
// CHECK-NOT: nn.transpose
// CHECK: "nn.contract"(%arg0, %arg1) {spec = "bqhd,bkhd->bhqk"}
func.func @heads(%q: tensor<1x5x2x4xf32>, %k: tensor<1x5x2x4xf32>) -> tensor<1x2x5x5xf32> {
  %0 = "nn.transpose"(%q) {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x5x2x4xf32>) -> tensor<1x2x5x4xf32>
  %1 = "nn.transpose"(%k) {perm = array<i64: 0, 2, 3, 1>} : (tensor<1x5x2x4xf32>) -> tensor<1x2x4x5xf32>
  %2 = "nn.contract"(%0, %1) {spec = "bhqd,bhdk->bhqk"} : (tensor<1x2x5x4xf32>, tensor<1x2x4x5xf32>) -> tensor<1x2x5x5xf32>
  return %2 : tensor<1x2x5x5xf32>
}
