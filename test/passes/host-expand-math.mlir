// RUN: accelc-opt %s --host-expand-math | filecheck %s

// exp on f32 becomes a polynomial, on bf16 one in f32; f64 is left for libm.

// CHECK-LABEL: func.func @entry
// CHECK-NOT: math.exp
// CHECK: math.fma
// CHECK: arith.shli
// CHECK: linalg.yield
// CHECK: arith.extf {{.*}} : bf16 to f32
// CHECK: math.fma
// CHECK: arith.truncf {{.*}} : f32 to bf16
// CHECK: math.exp } ins(%arg2 : tensor<8xf64>)
module {
  func.func @entry(%x: tensor<8xf32>, %h: tensor<8xbf16>, %d: tensor<8xf64>, %a: tensor<8xf32>, %b: tensor<8xbf16>,
                   %c: tensor<8xf64>) -> (tensor<8xf32>, tensor<8xbf16>, tensor<8xf64>)
      attributes {accelc.num_outputs = 3 : i64} {
    %0 = linalg.map { math.exp } ins(%x : tensor<8xf32>) outs(%a : tensor<8xf32>)
    %1 = linalg.map { math.exp } ins(%h : tensor<8xbf16>) outs(%b : tensor<8xbf16>)
    %2 = linalg.map { math.exp } ins(%d : tensor<8xf64>) outs(%c : tensor<8xf64>)
    return %0, %1, %2 : tensor<8xf32>, tensor<8xbf16>, tensor<8xf64>
  }
}
