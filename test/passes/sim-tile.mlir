// RUN: accelc-opt %s --sim-tile=machine=edge | filecheck %s

// A product with bias and activation: operands and bias are loaded, the array accumulates, the vector unit finishes
// the tile, which is stored. On edge the weights have more than one tile, K is whole.

// CHECK-LABEL: func.func @entry(%arg0: memref<64x256xbf16>, %arg1: memref<256x512xbf16>
// CHECK: scf.for
// CHECK: "sim_accel.tile_load"
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK-SAME: sim_accel.unit = "mxu"
// CHECK: arith.maximumf
// CHECK: "sim_accel.tile_store"
module {
  module @k0 attributes {accelc.device = "target"} {
    func.func @entry(%a: tensor<64x256xbf16>, %b: tensor<256x512xbf16>, %bias: tensor<512xf32>, %o: tensor<64x512xbf16>)
        -> tensor<64x512xbf16> attributes {accelc.num_outputs = 1 : i64} {
      %z = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<64x512xf32>
      %f = linalg.fill ins(%z : f32) outs(%e : tensor<64x512xf32>) -> tensor<64x512xf32>
      %0 = linalg.contract
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
        ins(%a, %b : tensor<64x256xbf16>, tensor<256x512xbf16>) outs(%f : tensor<64x512xf32>) -> tensor<64x512xf32>
      %1 = linalg.generic {
          indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (n)>, affine_map<(m, n) -> (m, n)>],
          iterator_types = ["parallel", "parallel"]}
        ins(%0, %bias : tensor<64x512xf32>, tensor<512xf32>) outs(%o : tensor<64x512xbf16>) {
      ^bb0(%x: f32, %y: f32, %w: bf16):
        %s = arith.addf %x, %y : f32
        %r = arith.maximumf %s, %z : f32
        %t = arith.truncf %r : f32 to bf16
        linalg.yield %t : bf16
      } -> tensor<64x512xbf16>
      return %1 : tensor<64x512xbf16>
    }
  }
}
