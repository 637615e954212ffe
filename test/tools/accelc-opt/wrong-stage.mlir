// IR at another stage than a pass or a pipeline takes is the input's fault, and says so.
// RUN: accelc-opt --nn-fuse --split-input-file --verify-diagnostics %s
// RUN: accelc-opt --target=host --split-input-file --verify-diagnostics %s

func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{may not stand in @main at the stage 'nn'}}
  %c = arith.constant dense<1.0> : tensor<4xf32>
  return %c : tensor<4xf32>
}

// -----

// expected-error@unknown {{argument 0 of @main is memref<4xf32>; a graph holds ranked tensors}}
func.func @main(%x: memref<4xf32>) {
  return
}

// -----

// expected-error@unknown {{nn has no element type complex<f32>}}
func.func @main(%x: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  return %x : tensor<4xcomplex<f32>>
}

// -----

// expected-error@unknown {{the graph @main has 0 blocks, not one}}
func.func private @main(tensor<4xf32>) -> tensor<4xf32>
