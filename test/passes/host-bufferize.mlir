// RUN: accelc-opt %s --host-bufferize | filecheck %s

// What no family tiled becomes plain loops over memrefs, one tile, with buffers in the workspace.

// CHECK: accelc.tiles = 1 : i64
// CHECK-SAME: accelc.workspace_bytes = 64 : i64
// CHECK: func.func @entry(%arg0: memref<4x4xf32>, %arg1: memref<4x4xf32>, %arg2: memref<64xi8>, %arg3: index, %arg4: index)
// CHECK: memref.view %arg2
// CHECK-NOT: tensor<
// CHECK: scf.for
// CHECK: memref.load
// CHECK: math.powf
// CHECK: memref.store
module {
  func.func @entry(%x: tensor<4x4xf32>, %out: tensor<4x4xf32>) -> tensor<4x4xf32>
      attributes {accelc.num_outputs = 1 : i64} {
    %e = tensor.empty() : tensor<4x4xf32>
    %0 = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
    ^bb0(%a: f32, %b: f32):
      %p = math.powf %a, %a : f32
      linalg.yield %p : f32
    } -> tensor<4x4xf32>
    %1 = linalg.generic {
        indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
        iterator_types = ["parallel", "parallel"]}
      ins(%0, %0 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%out : tensor<4x4xf32>) {
    ^bb0(%a: f32, %c: f32, %b: f32):
      %s = arith.addf %a, %c : f32
      linalg.yield %s : f32
    } -> tensor<4x4xf32>
    return %1 : tensor<4x4xf32>
  }
}
