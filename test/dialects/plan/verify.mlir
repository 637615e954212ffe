// RUN: accelc-opt %s --split-input-file --verify-diagnostics

func.func @main(%x: memref<4xf32>) {
  // expected-error @+1 {{cannot change the number of elements}}
  %v = "plan.view"(%x) : (memref<4xf32>) -> memref<2x3xf32>
  return
}

// -----

func.func @main(%x: memref<4xf32>) {
  // expected-error @+1 {{cannot change the element type}}
  %v = "plan.view"(%x) : (memref<4xf32>) -> memref<4xsi32>
  return
}

// -----

func.func @main() {
  // expected-error @+1 {{expects static shapes}}
  %a = "plan.alloc"() : () -> memref<?xf32>
  return
}

// -----

func.func @main() {
  // expected-error @+1 {{non-negative integer offset}}
  %a = "plan.alloc"() {offset = -64 : i64} : () -> memref<4xf32>
  return
}

// -----

func.func @main() {
  // expected-error @+1 {{needs a name in 'ref'}}
  %a = "plan.constant"() {ref = ""} : () -> memref<4xf32>
  return
}

// -----

func.func @main(%x: memref<4xf32>, %y: memref<8xf32>) {
  // expected-error @+1 {{expects buffers of one size}}
  "plan.copy"(%x, %y) : (memref<4xf32>, memref<8xf32>) -> ()
  return
}

// -----

func.func @main(%x: memref<4xf32>) {
  // expected-error @+1 {{cannot have 2 outputs among 1 operands}}
  "plan.launch"(%x) {kernel = @k0::@entry, num_outputs = 2 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}

// -----

func.func @main(%x: memref<4xf32>) {
  // expected-error @+1 {{expects a kernel written @module::@function}}
  "plan.launch"(%x) {kernel = @k0, num_outputs = 1 : i64, operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (memref<4xf32>) -> ()
  return
}
