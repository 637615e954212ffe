// What nn refuses, and in which words.
// RUN: accelc-opt %s --split-input-file --verify-diagnostics -o %t

func.func @result(%x: tensor<2x3xf32>) {
  // expected-error @below {{'nn.relu' gives tensor<2x3xf32> on (tensor<2x3xf32>), but is declared tensor<2x4xf32>}}
  %0 = "nn.relu"(%x) : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @no_broadcast(%x: tensor<2x3xf32>, %y: tensor<3xf32>) {
  // expected-error @below {{'nn.add' needs operands of equal shapes, got tensor<2x3xf32>, tensor<3xf32>; nn.broadcast makes them equal}}
  %0 = "nn.add"(%x, %y) : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @missing_attribute(%x: tensor<2x3xf32>) {
  // expected-error @below {{'nn.softmax' needs the attribute 'axis': an integer (i64)}}
  %0 = "nn.softmax"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @attribute_encoding(%x: tensor<2x3xf32>) {
  // expected-error @below {{'nn.softmax' expects an integer (i64) as attribute 'axis', got 1 : i32}}
  %0 = "nn.softmax"(%x) {axis = 1 : i32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{'nn.softmax' has no axis 2 in a tensor of rank 2}}
  %0 = "nn.softmax"(%x) {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @signless(%x: tensor<2xi32>) {
  // expected-error @below {{nn has no element type i32}}
  %0 = "nn.abs"(%x) : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @unranked(%x: tensor<*xf32>) {
  // expected-error @below {{'nn.abs' expected a ranked tensor, got tensor<*xf32>}}
  %0 = "nn.abs"(%x) : (tensor<*xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @contract(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'nn.contract' needs one size for 'k' of 'mk,kn->mn', got 3 and 4}}
  %0 = "nn.contract"(%a, %b) {spec = "mk,kn->mn"} : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @conv(%x: tensor<1x4x8x8xf32>, %w: tensor<8x3x3x3xf32>) {
  // expected-error @below {{'nn.conv' needs 1 groups of 3 input channels (as the filter says), got 4 channels}}
  %0 = "nn.conv"(%x, %w) {strides = array<i64: 1, 1>, pads_low = array<i64: 0, 0>, pads_high = array<i64: 0, 0>, dilations = array<i64: 1, 1>, groups = 1 : i64, layout = "nchw"} : (tensor<1x4x8x8xf32>, tensor<8x3x3x3xf32>) -> tensor<1x8x6x6xf32>
  return
}

// -----

func.func @reshape(%x: tensor<2x3xf32>) {
  // expected-error @below {{'nn.reshape' cannot make [4, 2] (8 elements) of tensor<2x3xf32> (6 elements)}}
  %0 = "nn.reshape"(%x) : (tensor<2x3xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @dynamic_broadcast(%x: tensor<3xf32>) {
  // expected-error @below {{'nn.broadcast' needs the operand 'sizes' for the unknown sizes of [?, 3], which tensor<3xf32> does not say}}
  %0 = "nn.broadcast"(%x) {dims = array<i64: 1>} : (tensor<3xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @slice(%x: tensor<4xf32>) {
  // expected-error @below {{'nn.slice' takes elements 2 to 5 along axis 0 of tensor<4xf32>}}
  %0 = "nn.slice"(%x) {starts = array<i64: 2>, sizes = array<i64: 4>, strides = array<i64: 1>} : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @arity(%x: tensor<4xf32>) {
  // expected-error @below {{nn.add}}
  %0 = "nn.add"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @yielded(%x: tensor<4xf32>) {
  // expected-error @below {{'nn.fusion' yields (tensor<4xf32>), but is declared (tensor<5xf32>)}}
  %0 = "nn.fusion"(%x) ({
  ^bb0(%b: tensor<4xf32>):
    "nn.yield"(%b) {operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<4xf32>) -> ()
  }) {operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<4xf32>) -> tensor<5xf32>
  return
}
