// RUN: accelc-opt %s --host-expand-conversions | filecheck %s

// fp8 values are bytes to the kernel, and become f32 by integer arithmetic.

// CHECK: func.func @entry(%arg0: tensor<16xi8>, %arg1: tensor<16xf32>)
// CHECK-NOT: f8E4M3FN
// CHECK: linalg.generic
// CHECK: arith.shli
// CHECK: arith.bitcast {{.*}} : i32 to f32
// CHECK-NOT: f8E4M3FN
module {
  func.func @entry(%x: tensor<16xf8E4M3FN>, %out: tensor<16xf32>) -> tensor<16xf32>
      attributes {accelc.num_outputs = 1 : i64} {
    %0 = linalg.generic {
        indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<16xf8E4M3FN>) outs(%out : tensor<16xf32>) {
    ^bb0(%a: f8E4M3FN, %b: f32):
      %c = arith.extf %a : f8E4M3FN to f32
      linalg.yield %c : f32
    } -> tensor<16xf32>
    return %0 : tensor<16xf32>
  }
}
