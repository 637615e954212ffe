// RUN: accelc-opt %s --host-pack-weights=machine=x86-64-v3 | filecheck %s

// The constant operand of a product comes in panels of 16 columns, the width of AVX2's register tile: the kernel says
// what they are with an unpack, and the plan names a derived constant.

// CHECK: module @k0
// CHECK: func.func @entry(%arg0: tensor<8x64xf32>, %arg1: tensor<2x64x16xf32> {accelc.constant}
// CHECK: linalg.unpack %arg1 {{.*}} inner_dims_pos = [1] inner_tiles = [16]
// CHECK: linalg.contract
// CHECK: "plan.constant"() {{.*}}host-pack-panels{{.*}} : () -> memref<2x64x16xf32>
// CHECK: "plan.launch"
module {
  module @k0 attributes {accelc.device = "target"} {
    func.func @entry(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {accelc.constant}, %out: tensor<8x32xf32>)
        -> tensor<8x32xf32> attributes {accelc.num_outputs = 1 : i64} {
      %zero = arith.constant 0.0 : f32
      %init = linalg.fill ins(%zero : f32) outs(%out : tensor<8x32xf32>) -> tensor<8x32xf32>
      %y = linalg.contract
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
      return %y : tensor<8x32xf32>
    }
  }
  func.func @main(%x: memref<8x64xf32> {nn.name = "x"}, %out: memref<8x32xf32> {nn.name = "y"})
      attributes {plan.num_outputs = 1 : i64} {
    %w = "plan.constant"() {ref = "w"} : () -> memref<64x32xf32>
    "plan.launch"(%x, %w, %out) {kernel = @k0::@entry, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>}
      : (memref<8x64xf32>, memref<64x32xf32>, memref<8x32xf32>) -> ()
    return
  }
}
