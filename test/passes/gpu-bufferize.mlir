// RUN: accelc-opt %s --gpu-bufferize | filecheck %s

// Any kernel becomes parallel nests over memrefs, reductions being loops inside; what it allocates lies in a workspace.

// CHECK: accelc.workspace_bytes = 64 : i64
// CHECK: func.func @entry(%arg0: memref<4x8xf32>, %arg1: memref<4x8xf32>, %arg2: memref<64xi8>)
// CHECK-NOT: tensor<
// CHECK: memref.view %arg2
// CHECK: scf.parallel (%{{.*}}) = (%{{.*}}) to (%{{.*}})
// CHECK: scf.parallel (%[[I:.*]]) =
// CHECK-NEXT: scf.for %[[J:.*]] =
// CHECK: memref.load %arg0[%[[I]], %[[J]]]
// CHECK: scf.parallel (%{{.*}}, %{{.*}}) =
// CHECK: arith.subf
// CHECK: memref.store %{{.*}}, %arg1
module {
  func.func @entry(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {accelc.num_outputs = 1 : i64} {
    %lowest = arith.constant 0xFF800000 : f32
    %e = tensor.empty() : tensor<4xf32>
    %init = linalg.fill ins(%lowest : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %max = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
        iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x8xf32>) outs(%init : tensor<4xf32>) {
    ^bb0(%a: f32, %m: f32):
      %n = arith.maximumf %a, %m : f32
      linalg.yield %n : f32
    } -> tensor<4xf32>
    %y = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
      ins(%x, %max : tensor<4x8xf32>, tensor<4xf32>) outs(%out : tensor<4x8xf32>) {
    ^bb0(%a: f32, %m: f32, %o: f32):
      %s = arith.subf %a, %m : f32
      linalg.yield %s : f32
    } -> tensor<4x8xf32>
    return %y : tensor<4x8xf32>
  }
}
