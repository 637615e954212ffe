// RUN: accelc-opt --split-input-file --pass-pipeline='builtin.module(nn-fuse,nn-demote{format=bf16})' %s | filecheck %s

// The contraction reads bf16 and sums in f32; what lies between kernels is bf16; what the model returns is f32.
// CHECK-LABEL: func.func @main(%arg0: tensor<4x8xf32>
// CHECK-SAME: -> tensor<4x8xf32>
// CHECK: "nn.cast"({{.*}}) {saturate = false} : (tensor<4x8xf32>) -> tensor<4x8xbf16>
// CHECK: "nn.contract"({{.*}}) {spec = "mk,kn->mn"} : (tensor<4x8xbf16>, tensor<8x8xbf16>) -> tensor<4x8xf32>
// CHECK-NEXT: "nn.relu"({{.*}}) : (tensor<4x8xf32>)
// CHECK-NEXT: [[N:%.*]] = "nn.cast"({{.*}}) -> tensor<4x8xbf16>
// CHECK-NEXT: "nn.yield"([[N]])
// CHECK: "nn.cast"({{.*}}) {saturate = false} : (tensor<4x8xbf16>) -> tensor<4x8xf32>
// CHECK-NEXT: "nn.softmax"({{.*}}) {axis = 1 : i64} : (tensor<4x8xf32>)
// CHECK-NEXT: "nn.yield"({{.*}}) {{.*}} : (tensor<4x8xf32>)
func.func @main(%x: tensor<4x8xf32>, %w: tensor<8x8xf32>) -> tensor<4x8xf32> {
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<4x8xf32>, tensor<8x8xf32>) -> tensor<4x8xf32>
  %1 = "nn.relu"(%0) : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %2 = "nn.softmax"(%1) {axis = 1 : i64} : (tensor<4x8xf32>) -> tensor<4x8xf32>
  return %2 : tensor<4x8xf32>
}

// -----

// A model that stores bf16 itself keeps its types, inside and out.
// CHECK-LABEL: func.func @main(%arg0: tensor<8x64xbf16>
// CHECK-NOT: nn.cast
// CHECK: return {{.*}} : tensor<8x32xbf16>
func.func @main(%x: tensor<8x64xbf16>, %w: tensor<64x32xbf16>, %b: tensor<8x32xbf16>) -> tensor<8x32xbf16> {
  %0 = "nn.contract"(%x, %w) {spec = "mk,kn->mn"} : (tensor<8x64xbf16>, tensor<64x32xbf16>) -> tensor<8x32xbf16>
  %1 = "nn.add"(%0, %b) : (tensor<8x32xbf16>, tensor<8x32xbf16>) -> tensor<8x32xbf16>
  return %1 : tensor<8x32xbf16>
}
