// RUN: accelc-opt --pass-pipeline='builtin.module(nn-fuse,nn-outline,nn-to-linalg)' --split-input-file %s | filecheck %s

// A contraction: fill, contract, and one generic for everything after it, which writes the output.
// CHECK-LABEL: module @k0
// CHECK: func.func @entry(%arg0: tensor<4x8xf32>, %arg1: tensor<8x16xf32>, %arg2: tensor<16xf32>, [[OUT:%.*]]: tensor<4x16xf32>)
// CHECK: linalg.fill
// CHECK: [[C:%.*]] = linalg.contract
// CHECK: linalg.generic {{.*}} ins({{.*}}[[C]]{{.*}}) outs([[OUT]] : tensor<4x16xf32>)
// CHECK: arith.addf
// CHECK: arith.maximumf
// CHECK: return
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x16xf32>, %b: tensor<16xf32>) -> tensor<4x16xf32> {
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x16xf32>) -> tensor<4x16xf32>
  %1 = "nn.broadcast"(%b) {dims = array<i64: 1>} : (tensor<16xf32>) -> tensor<4x16xf32>
  %2 = "nn.add"(%0, %1) : (tensor<4x16xf32>, tensor<4x16xf32>) -> tensor<4x16xf32>
  %3 = "nn.relu"(%2) : (tensor<4x16xf32>) -> tensor<4x16xf32>
  return %3 : tensor<4x16xf32>
}

// -----

// A diamond of elementwise ops is one generic; signs choose the ops.
// CHECK-LABEL: module @k0
// CHECK: func.func @entry(%arg0: tensor<8xi8>, %arg1: tensor<8xi8>)
// CHECK: linalg.generic
// CHECK-DAG: arith.maxui
// CHECK-DAG: arith.minui
// CHECK: arith.addi
// CHECK-NOT: linalg.generic
// CHECK: func.func @main(%arg0: memref<8xui8>, %arg1: memref<8xui8>)
func.func @main(%x: tensor<8xui8>) -> tensor<8xui8> {
  %c = "nn.constant"() {value = dense<3> : tensor<8xui8>} : () -> tensor<8xui8>
  %0 = "nn.maximum"(%x, %c) : (tensor<8xui8>, tensor<8xui8>) -> tensor<8xui8>
  %1 = "nn.minimum"(%x, %c) : (tensor<8xui8>, tensor<8xui8>) -> tensor<8xui8>
  %2 = "nn.add"(%0, %1) : (tensor<8xui8>, tensor<8xui8>) -> tensor<8xui8>
  return %2 : tensor<8xui8>
}

// -----

// Softmax in f32 for bf16 values, with the maximum subtracted.
// CHECK-LABEL: module @k0
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]
// CHECK: arith.extf {{.*}} : bf16 to f32
// CHECK: arith.maximumf
// CHECK: math.exp
// CHECK: iterator_types = ["parallel", "reduction"]
// CHECK: arith.addf
// CHECK: outs(%arg1 : tensor<4x8xbf16>)
// CHECK: arith.divf
// CHECK: arith.truncf
func.func @main(%x: tensor<4x8xbf16>) -> tensor<4x8xbf16> {
  %0 = "nn.softmax"(%x) {axis = 1 : i64} : (tensor<4x8xbf16>) -> tensor<4x8xbf16>
  return %0 : tensor<4x8xbf16>
}

// -----

// A depthwise convolution, channels last: the filter's unit dimension goes away in a view.
// CHECK-LABEL: module @k0
// CHECK: func.func @entry(%arg0: tensor<1x6x6x8xf32>, %arg1: tensor<3x3x8xf32>, %arg2: tensor<1x6x6x8xf32>)
// CHECK: tensor.pad %arg0 low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: linalg.depthwise_conv_2d_nhwc_hwc
// CHECK: @main
// CHECK: "plan.view"(%arg1) : (memref<3x3x1x8xf32>) -> memref<3x3x8xf32>
func.func @main(%x: tensor<1x6x6x8xf32>, %w: tensor<3x3x1x8xf32>) -> tensor<1x6x6x8xf32> {
  %0 = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads_low = array<i64: 1, 1>, pads_high = array<i64: 1, 1>, dilations = array<i64: 1, 1>, groups = 8 : i64, layout = "nhwc"} : (tensor<1x6x6x8xf32>, tensor<3x3x1x8xf32>) -> tensor<1x6x6x8xf32>
  return %0 : tensor<1x6x6x8xf32>
}

// -----

// Parts are written straight into the destination.
// CHECK-LABEL: module @k0
// CHECK: [[A:%.*]] = tensor.insert_slice %arg0 into [[OUT:%.*]][0, 0] [2, 3] [1, 1]
// CHECK: tensor.insert_slice %arg1 into [[A]][0, 3] [2, 4] [1, 1]
func.func @main(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> tensor<2x7xf32> {
  %0 = "nn.concat"(%x, %y) {axis = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
  return %0 : tensor<2x7xf32>
}

// -----

// A gather is an indexed read that cannot leave its table.
// CHECK-LABEL: module @k0
// CHECK: linalg.index
// CHECK: arith.maxsi
// CHECK: arith.minsi
// CHECK: tensor.extract %arg0
func.func @main(%t: tensor<10x4xf32>, %i: tensor<3xsi64>) -> tensor<3x4xf32> {
  %0 = "nn.gather"(%t, %i) {axis = 0 : i64} : (tensor<10x4xf32>, tensor<3xsi64>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}
