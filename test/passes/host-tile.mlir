// RUN: accelc-opt %s --host-tile=machine=x86-64-v3 | filecheck %s
// RUN: accelc-opt %s --host-tile=machine=x86-64-v4 | filecheck %s --check-prefix=WIDE

// A product: register tiles of rows by two vectors (AVX2: 4 by 16), sums in registers, the tiles of threads outside.
// With AVX-512 the 8 rows are one tile, 32 wide.

// CHECK: module @k0
// CHECK-SAME: accelc.tiles = 4 : i64
// CHECK-SAME: accelc.workspace_bytes = 0 : i64
// CHECK-SAME: host.vectorized
// CHECK: func.func @entry(%arg0: memref<512xf32>, %arg1: memref<2048xf32>, %arg2: memref<256xf32>, %arg3: memref<1xi8>, %arg4: index, %arg5: index)
// CHECK: scf.for
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: vector.load %arg1
// CHECK: memref.load %arg0
// CHECK: vector.broadcast
// CHECK: math.fma
// CHECK: scf.yield
// CHECK: vector.store
// WIDE: scf.for {{.*}} -> (vector<32xf32>, {{.*}}vector<32xf32>)
// WIDE: vector.load %arg1
module @k0 attributes {accelc.device = "target"} {
  func.func @entry(%x: tensor<8x64xf32>, %w: tensor<64x32xf32>, %out: tensor<8x32xf32>) -> tensor<8x32xf32>
      attributes {accelc.num_outputs = 1 : i64} {
    %zero = arith.constant 0.0 : f32
    %init = linalg.fill ins(%zero : f32) outs(%out : tensor<8x32xf32>) -> tensor<8x32xf32>
    %y = linalg.contract
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x64xf32>, tensor<64x32xf32>) outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
    return %y : tensor<8x32xf32>
  }
}
