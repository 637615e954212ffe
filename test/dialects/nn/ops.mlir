// Every op of nn parses, verifies and prints as it was.
// RUN: accelc-opt %s | accelc-opt | filecheck %s

// CHECK-LABEL: @constant_1(
// CHECK: "nn.constant"() {value = dense<[1.500000e+00, -2.000000e+00]> : tensor<2xf32>} : () -> tensor<2xf32>
func.func @constant_1() -> tensor<2xf32> {
  %0 = "nn.constant"() {value = dense<[1.500000e+00, -2.000000e+00]> : tensor<2xf32>} : () -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: @iota_1(
// CHECK: "nn.iota"() {axis = 1 : i64} : () -> tensor<2x3xsi32>
func.func @iota_1() -> tensor<2x3xsi32> {
  %0 = "nn.iota"() {axis = 1 : i64} : () -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @iota_2(
// CHECK: "nn.iota"(%arg0) {axis = 0 : i64} : (tensor<2xsi64>) -> tensor<?x3xf32>
func.func @iota_2(%a0: tensor<2xsi64>) -> tensor<?x3xf32> {
  %0 = "nn.iota"(%a0) {axis = 0 : i64} : (tensor<2xsi64>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// CHECK-LABEL: @abs_1(
// CHECK: "nn.abs"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @abs_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.abs"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @neg_1(
// CHECK: "nn.neg"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @neg_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.neg"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sign_1(
// CHECK: "nn.sign"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sign_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sign"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @relu_1(
// CHECK: "nn.relu"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @relu_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.relu"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @exp_1(
// CHECK: "nn.exp"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @exp_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.exp"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @log_1(
// CHECK: "nn.log"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @log_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.log"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sqrt_1(
// CHECK: "nn.sqrt"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sqrt_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sqrt"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @rsqrt_1(
// CHECK: "nn.rsqrt"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @rsqrt_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.rsqrt"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @reciprocal_1(
// CHECK: "nn.reciprocal"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @reciprocal_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.reciprocal"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sin_1(
// CHECK: "nn.sin"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sin_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sin"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @cos_1(
// CHECK: "nn.cos"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @cos_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.cos"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @tan_1(
// CHECK: "nn.tan"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @tan_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.tan"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @asin_1(
// CHECK: "nn.asin"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @asin_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.asin"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @acos_1(
// CHECK: "nn.acos"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @acos_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.acos"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @atan_1(
// CHECK: "nn.atan"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @atan_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.atan"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sinh_1(
// CHECK: "nn.sinh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sinh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sinh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @cosh_1(
// CHECK: "nn.cosh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @cosh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.cosh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @asinh_1(
// CHECK: "nn.asinh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @asinh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.asinh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @acosh_1(
// CHECK: "nn.acosh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @acosh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.acosh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @atanh_1(
// CHECK: "nn.atanh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @atanh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.atanh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @tanh_1(
// CHECK: "nn.tanh"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @tanh_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.tanh"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @erf_1(
// CHECK: "nn.erf"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @erf_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.erf"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sigmoid_1(
// CHECK: "nn.sigmoid"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sigmoid_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sigmoid"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @silu_1(
// CHECK: "nn.silu"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @silu_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.silu"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @floor_1(
// CHECK: "nn.floor"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @floor_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.floor"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @ceil_1(
// CHECK: "nn.ceil"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @ceil_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.ceil"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @round_1(
// CHECK: "nn.round"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @round_1(%a0: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.round"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @isnan_1(
// CHECK: "nn.isnan"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @isnan_1(%a0: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %0 = "nn.isnan"(%a0) : (tensor<2x3xf32>) -> tensor<2x3xi1>
  return %0 : tensor<2x3xi1>
}

// CHECK-LABEL: @exp_2(
// CHECK: "nn.exp"(%arg0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @exp_2(%a0: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.exp"(%a0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @relu_2(
// CHECK: "nn.relu"(%arg0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @relu_2(%a0: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.relu"(%a0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @tanh_2(
// CHECK: "nn.tanh"(%arg0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @tanh_2(%a0: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.tanh"(%a0) : (tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @abs_2(
// CHECK: "nn.abs"(%arg0) : (tensor<4xsi8>) -> tensor<4xsi8>
func.func @abs_2(%a0: tensor<4xsi8>) -> tensor<4xsi8> {
  %0 = "nn.abs"(%a0) : (tensor<4xsi8>) -> tensor<4xsi8>
  return %0 : tensor<4xsi8>
}

// CHECK-LABEL: @gelu_1(
// CHECK: "nn.gelu"(%arg0) {approximate = "none"} : (tensor<5xf32>) -> tensor<5xf32>
func.func @gelu_1(%a0: tensor<5xf32>) -> tensor<5xf32> {
  %0 = "nn.gelu"(%a0) {approximate = "none"} : (tensor<5xf32>) -> tensor<5xf32>
  return %0 : tensor<5xf32>
}

// CHECK-LABEL: @gelu_2(
// CHECK: "nn.gelu"(%arg0) {approximate = "tanh"} : (tensor<5xf16>) -> tensor<5xf16>
func.func @gelu_2(%a0: tensor<5xf16>) -> tensor<5xf16> {
  %0 = "nn.gelu"(%a0) {approximate = "tanh"} : (tensor<5xf16>) -> tensor<5xf16>
  return %0 : tensor<5xf16>
}

// CHECK-LABEL: @logical_not_1(
// CHECK: "nn.logical_not"(%arg0) : (tensor<2xi1>) -> tensor<2xi1>
func.func @logical_not_1(%a0: tensor<2xi1>) -> tensor<2xi1> {
  %0 = "nn.logical_not"(%a0) : (tensor<2xi1>) -> tensor<2xi1>
  return %0 : tensor<2xi1>
}

// CHECK-LABEL: @bitwise_not_1(
// CHECK: "nn.bitwise_not"(%arg0) : (tensor<2xui8>) -> tensor<2xui8>
func.func @bitwise_not_1(%a0: tensor<2xui8>) -> tensor<2xui8> {
  %0 = "nn.bitwise_not"(%a0) : (tensor<2xui8>) -> tensor<2xui8>
  return %0 : tensor<2xui8>
}

// CHECK-LABEL: @isinf_1(
// CHECK: "nn.isinf"(%arg0) {negative = false, positive = true} : (tensor<2xf32>) -> tensor<2xi1>
func.func @isinf_1(%a0: tensor<2xf32>) -> tensor<2xi1> {
  %0 = "nn.isinf"(%a0) {negative = false, positive = true} : (tensor<2xf32>) -> tensor<2xi1>
  return %0 : tensor<2xi1>
}

// CHECK-LABEL: @add_1(
// CHECK: "nn.add"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @add_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.add"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @add_2(
// CHECK: "nn.add"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @add_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.add"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @add_3(
// CHECK: "nn.add"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @add_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.add"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @add_4(
// CHECK: "nn.add"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @add_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.add"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @sub_1(
// CHECK: "nn.sub"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @sub_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.sub"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @sub_2(
// CHECK: "nn.sub"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @sub_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.sub"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @sub_3(
// CHECK: "nn.sub"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @sub_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.sub"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @sub_4(
// CHECK: "nn.sub"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @sub_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.sub"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @mul_1(
// CHECK: "nn.mul"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @mul_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.mul"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @mul_2(
// CHECK: "nn.mul"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @mul_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.mul"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @mul_3(
// CHECK: "nn.mul"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @mul_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.mul"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @mul_4(
// CHECK: "nn.mul"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @mul_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.mul"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @div_1(
// CHECK: "nn.div"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @div_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.div"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @div_2(
// CHECK: "nn.div"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @div_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.div"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @div_3(
// CHECK: "nn.div"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @div_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.div"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @div_4(
// CHECK: "nn.div"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @div_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.div"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @pow_1(
// CHECK: "nn.pow"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @pow_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.pow"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @pow_2(
// CHECK: "nn.pow"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @pow_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.pow"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @pow_3(
// CHECK: "nn.pow"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @pow_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.pow"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @pow_4(
// CHECK: "nn.pow"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @pow_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.pow"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @maximum_1(
// CHECK: "nn.maximum"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @maximum_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.maximum"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @maximum_2(
// CHECK: "nn.maximum"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @maximum_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.maximum"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @maximum_3(
// CHECK: "nn.maximum"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @maximum_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.maximum"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @maximum_4(
// CHECK: "nn.maximum"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @maximum_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.maximum"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @minimum_1(
// CHECK: "nn.minimum"(%arg0, %arg1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
func.func @minimum_1(%a0: tensor<2x3xf32>, %a1: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.minimum"(%a0, %a1) : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @minimum_2(
// CHECK: "nn.minimum"(%arg0, %arg1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
func.func @minimum_2(%a0: tensor<2x3xsi32>, %a1: tensor<2x3xsi32>) -> tensor<2x3xsi32> {
  %0 = "nn.minimum"(%a0, %a1) : (tensor<2x3xsi32>, tensor<2x3xsi32>) -> tensor<2x3xsi32>
  return %0 : tensor<2x3xsi32>
}

// CHECK-LABEL: @minimum_3(
// CHECK: "nn.minimum"(%arg0, %arg1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
func.func @minimum_3(%a0: tensor<2x3xbf16>, %a1: tensor<2x3xbf16>) -> tensor<2x3xbf16> {
  %0 = "nn.minimum"(%a0, %a1) : (tensor<2x3xbf16>, tensor<2x3xbf16>) -> tensor<2x3xbf16>
  return %0 : tensor<2x3xbf16>
}

// CHECK-LABEL: @minimum_4(
// CHECK: "nn.minimum"(%arg0, %arg1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
func.func @minimum_4(%a0: tensor<2x3xui8>, %a1: tensor<2x3xui8>) -> tensor<2x3xui8> {
  %0 = "nn.minimum"(%a0, %a1) : (tensor<2x3xui8>, tensor<2x3xui8>) -> tensor<2x3xui8>
  return %0 : tensor<2x3xui8>
}

// CHECK-LABEL: @mod_1(
// CHECK: "nn.mod"(%arg0, %arg1) {fmod = false} : (tensor<4xsi32>, tensor<4xsi32>) -> tensor<4xsi32>
func.func @mod_1(%a0: tensor<4xsi32>, %a1: tensor<4xsi32>) -> tensor<4xsi32> {
  %0 = "nn.mod"(%a0, %a1) {fmod = false} : (tensor<4xsi32>, tensor<4xsi32>) -> tensor<4xsi32>
  return %0 : tensor<4xsi32>
}

// CHECK-LABEL: @mod_2(
// CHECK: "nn.mod"(%arg0, %arg1) {fmod = true} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
func.func @mod_2(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "nn.mod"(%a0, %a1) {fmod = true} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @logical_and_1(
// CHECK: "nn.logical_and"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @logical_and_1(%a0: tensor<4xi1>, %a1: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "nn.logical_and"(%a0, %a1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @logical_or_1(
// CHECK: "nn.logical_or"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @logical_or_1(%a0: tensor<4xi1>, %a1: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "nn.logical_or"(%a0, %a1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @logical_xor_1(
// CHECK: "nn.logical_xor"(%arg0, %arg1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
func.func @logical_xor_1(%a0: tensor<4xi1>, %a1: tensor<4xi1>) -> tensor<4xi1> {
  %0 = "nn.logical_xor"(%a0, %a1) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @bitwise_and_1(
// CHECK: "nn.bitwise_and"(%arg0, %arg1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
func.func @bitwise_and_1(%a0: tensor<4xsi16>, %a1: tensor<4xsi16>) -> tensor<4xsi16> {
  %0 = "nn.bitwise_and"(%a0, %a1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
  return %0 : tensor<4xsi16>
}

// CHECK-LABEL: @bitwise_or_1(
// CHECK: "nn.bitwise_or"(%arg0, %arg1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
func.func @bitwise_or_1(%a0: tensor<4xsi16>, %a1: tensor<4xsi16>) -> tensor<4xsi16> {
  %0 = "nn.bitwise_or"(%a0, %a1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
  return %0 : tensor<4xsi16>
}

// CHECK-LABEL: @bitwise_xor_1(
// CHECK: "nn.bitwise_xor"(%arg0, %arg1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
func.func @bitwise_xor_1(%a0: tensor<4xsi16>, %a1: tensor<4xsi16>) -> tensor<4xsi16> {
  %0 = "nn.bitwise_xor"(%a0, %a1) : (tensor<4xsi16>, tensor<4xsi16>) -> tensor<4xsi16>
  return %0 : tensor<4xsi16>
}

// CHECK-LABEL: @shift_left_1(
// CHECK: "nn.shift_left"(%arg0, %arg1) : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xui32>
func.func @shift_left_1(%a0: tensor<4xui32>, %a1: tensor<4xui32>) -> tensor<4xui32> {
  %0 = "nn.shift_left"(%a0, %a1) : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xui32>
  return %0 : tensor<4xui32>
}

// CHECK-LABEL: @shift_right_1(
// CHECK: "nn.shift_right"(%arg0, %arg1) : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xui32>
func.func @shift_right_1(%a0: tensor<4xui32>, %a1: tensor<4xui32>) -> tensor<4xui32> {
  %0 = "nn.shift_right"(%a0, %a1) : (tensor<4xui32>, tensor<4xui32>) -> tensor<4xui32>
  return %0 : tensor<4xui32>
}

// CHECK-LABEL: @compare_1(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "eq"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_1(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "eq"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @compare_2(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "ne"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_2(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "ne"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @compare_3(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "lt"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_3(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "lt"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @compare_4(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "le"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_4(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "le"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @compare_5(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "gt"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_5(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "gt"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @compare_6(
// CHECK: "nn.compare"(%arg0, %arg1) {predicate = "ge"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
func.func @compare_6(%a0: tensor<4xf32>, %a1: tensor<4xf32>) -> tensor<4xi1> {
  %0 = "nn.compare"(%a0, %a1) {predicate = "ge"} : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  return %0 : tensor<4xi1>
}

// CHECK-LABEL: @select_1(
// CHECK: "nn.select"(%arg0, %arg1, %arg2) : (tensor<4xi1>, tensor<4xsi64>, tensor<4xsi64>) -> tensor<4xsi64>
func.func @select_1(%a0: tensor<4xi1>, %a1: tensor<4xsi64>, %a2: tensor<4xsi64>) -> tensor<4xsi64> {
  %0 = "nn.select"(%a0, %a1, %a2) : (tensor<4xi1>, tensor<4xsi64>, tensor<4xsi64>) -> tensor<4xsi64>
  return %0 : tensor<4xsi64>
}

// CHECK-LABEL: @clamp_1(
// CHECK: "nn.clamp"(%arg0) {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64} : (tensor<4xf32>) -> tensor<4xf32>
func.func @clamp_1(%a0: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "nn.clamp"(%a0) {max = 6.000000e+00 : f64, min = 0.000000e+00 : f64} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: @clamp_2(
// CHECK: "nn.clamp"(%arg0) {max = 2.500000e+00 : f64, min = -1.000000e+09 : f64} : (tensor<4xsi8>) -> tensor<4xsi8>
func.func @clamp_2(%a0: tensor<4xsi8>) -> tensor<4xsi8> {
  %0 = "nn.clamp"(%a0) {max = 2.500000e+00 : f64, min = -1.000000e+09 : f64} : (tensor<4xsi8>) -> tensor<4xsi8>
  return %0 : tensor<4xsi8>
}

// CHECK-LABEL: @cast_1(
// CHECK: "nn.cast"(%arg0) {saturate = true} : (tensor<4xf32>) -> tensor<4xf8E4M3FN>
func.func @cast_1(%a0: tensor<4xf32>) -> tensor<4xf8E4M3FN> {
  %0 = "nn.cast"(%a0) {saturate = true} : (tensor<4xf32>) -> tensor<4xf8E4M3FN>
  return %0 : tensor<4xf8E4M3FN>
}

// CHECK-LABEL: @cast_2(
// CHECK: "nn.cast"(%arg0) {saturate = true} : (tensor<4xf32>) -> tensor<4xsi4>
func.func @cast_2(%a0: tensor<4xf32>) -> tensor<4xsi4> {
  %0 = "nn.cast"(%a0) {saturate = true} : (tensor<4xf32>) -> tensor<4xsi4>
  return %0 : tensor<4xsi4>
}

// CHECK-LABEL: @cast_3(
// CHECK: "nn.cast"(%arg0) {saturate = false} : (tensor<4xi1>) -> tensor<4xf16>
func.func @cast_3(%a0: tensor<4xi1>) -> tensor<4xf16> {
  %0 = "nn.cast"(%a0) {saturate = false} : (tensor<4xi1>) -> tensor<4xf16>
  return %0 : tensor<4xf16>
}

// CHECK-LABEL: @bitcast_1(
// CHECK: "nn.bitcast"(%arg0) : (tensor<4xf32>) -> tensor<4xui32>
func.func @bitcast_1(%a0: tensor<4xf32>) -> tensor<4xui32> {
  %0 = "nn.bitcast"(%a0) : (tensor<4xf32>) -> tensor<4xui32>
  return %0 : tensor<4xui32>
}

// CHECK-LABEL: @quantize_1(
// CHECK: "nn.quantize"(%arg0, %arg1, %arg2) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xsi8>) -> tensor<2x4xsi8>
func.func @quantize_1(%a0: tensor<2x4xf32>, %a1: tensor<4xf32>, %a2: tensor<4xsi8>) -> tensor<2x4xsi8> {
  %0 = "nn.quantize"(%a0, %a1, %a2) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xsi8>) -> tensor<2x4xsi8>
  return %0 : tensor<2x4xsi8>
}

// CHECK-LABEL: @quantize_2(
// CHECK: "nn.quantize"(%arg0, %arg1, %arg2) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x2xui8>) -> tensor<2x4xui8>
func.func @quantize_2(%a0: tensor<2x4xf32>, %a1: tensor<2x2xf32>, %a2: tensor<2x2xui8>) -> tensor<2x4xui8> {
  %0 = "nn.quantize"(%a0, %a1, %a2) {axis = 1 : i64} : (tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x2xui8>) -> tensor<2x4xui8>
  return %0 : tensor<2x4xui8>
}

// CHECK-LABEL: @dequantize_1(
// CHECK: "nn.dequantize"(%arg0, %arg1, %arg2) {axis = 0 : i64} : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
func.func @dequantize_1(%a0: tensor<2x4xui8>, %a1: tensor<f32>, %a2: tensor<ui8>) -> tensor<2x4xf32> {
  %0 = "nn.dequantize"(%a0, %a1, %a2) {axis = 0 : i64} : (tensor<2x4xui8>, tensor<f32>, tensor<ui8>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: @reshape_1(
// CHECK: "nn.reshape"(%arg0) : (tensor<2x6xf32>) -> tensor<3x4xf32>
func.func @reshape_1(%a0: tensor<2x6xf32>) -> tensor<3x4xf32> {
  %0 = "nn.reshape"(%a0) : (tensor<2x6xf32>) -> tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// CHECK-LABEL: @dynamic_reshape_1(
// CHECK: "nn.dynamic_reshape"(%arg0, %arg1) : (tensor<2x6xf32>, tensor<2xsi64>) -> tensor<?x?xf32>
func.func @dynamic_reshape_1(%a0: tensor<2x6xf32>, %a1: tensor<2xsi64>) -> tensor<?x?xf32> {
  %0 = "nn.dynamic_reshape"(%a0, %a1) : (tensor<2x6xf32>, tensor<2xsi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: @transpose_1(
// CHECK: "nn.transpose"(%arg0) {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
func.func @transpose_1(%a0: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  %0 = "nn.transpose"(%a0) {perm = array<i64: 2, 0, 1>} : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  return %0 : tensor<4x2x3xf32>
}

// CHECK-LABEL: @broadcast_1(
// CHECK: "nn.broadcast"(%arg0) {dims = array<i64: 1, 2>} : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
func.func @broadcast_1(%a0: tensor<3x1xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.broadcast"(%a0) {dims = array<i64: 1, 2>} : (tensor<3x1xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @broadcast_2(
// CHECK: "nn.broadcast"(%arg0, %arg1) {dims = array<i64: 1>} : (tensor<3xf32>, tensor<2xsi64>) -> tensor<?x3xf32>
func.func @broadcast_2(%a0: tensor<3xf32>, %a1: tensor<2xsi64>) -> tensor<?x3xf32> {
  %0 = "nn.broadcast"(%a0, %a1) {dims = array<i64: 1>} : (tensor<3xf32>, tensor<2xsi64>) -> tensor<?x3xf32>
  return %0 : tensor<?x3xf32>
}

// CHECK-LABEL: @concat_1(
// CHECK: "nn.concat"(%arg0, %arg1) {axis = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
func.func @concat_1(%a0: tensor<2x3xf32>, %a1: tensor<2x1xf32>) -> tensor<2x4xf32> {
  %0 = "nn.concat"(%a0, %a1) {axis = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: @slice_1(
// CHECK: "nn.slice"(%arg0) {sizes = array<i64: 3, -1>, starts = array<i64: 4, 1>, strides = array<i64: -2, 2>} : (tensor<5x4xf32>) -> tensor<3x2xf32>
func.func @slice_1(%a0: tensor<5x4xf32>) -> tensor<3x2xf32> {
  %0 = "nn.slice"(%a0) {sizes = array<i64: 3, -1>, starts = array<i64: 4, 1>, strides = array<i64: -2, 2>} : (tensor<5x4xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// CHECK-LABEL: @pad_1(
// CHECK: "nn.pad"(%arg0, %arg1) {high = array<i64: 0, 2>, low = array<i64: 1, -1>} : (tensor<3x4xf32>, tensor<f32>) -> tensor<4x5xf32>
func.func @pad_1(%a0: tensor<3x4xf32>, %a1: tensor<f32>) -> tensor<4x5xf32> {
  %0 = "nn.pad"(%a0, %a1) {high = array<i64: 0, 2>, low = array<i64: 1, -1>} : (tensor<3x4xf32>, tensor<f32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// CHECK-LABEL: @pad_mode_1(
// CHECK: "nn.pad_mode"(%arg0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "reflect"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
func.func @pad_mode_1(%a0: tensor<3x4xf32>) -> tensor<6x4xf32> {
  %0 = "nn.pad_mode"(%a0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "reflect"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// CHECK-LABEL: @pad_mode_2(
// CHECK: "nn.pad_mode"(%arg0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "edge"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
func.func @pad_mode_2(%a0: tensor<3x4xf32>) -> tensor<6x4xf32> {
  %0 = "nn.pad_mode"(%a0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "edge"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// CHECK-LABEL: @pad_mode_3(
// CHECK: "nn.pad_mode"(%arg0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "wrap"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
func.func @pad_mode_3(%a0: tensor<3x4xf32>) -> tensor<6x4xf32> {
  %0 = "nn.pad_mode"(%a0) {high = array<i64: 1, -1>, low = array<i64: 2, 1>, mode = "wrap"} : (tensor<3x4xf32>) -> tensor<6x4xf32>
  return %0 : tensor<6x4xf32>
}

// CHECK-LABEL: @shape_of_1(
// CHECK: "nn.shape_of"(%arg0) : (tensor<2x3xf32>) -> tensor<2xsi64>
func.func @shape_of_1(%a0: tensor<2x3xf32>) -> tensor<2xsi64> {
  %0 = "nn.shape_of"(%a0) : (tensor<2x3xf32>) -> tensor<2xsi64>
  return %0 : tensor<2xsi64>
}

// CHECK-LABEL: @dim_1(
// CHECK: "nn.dim"(%arg0) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<si64>
func.func @dim_1(%a0: tensor<2x3xf32>) -> tensor<si64> {
  %0 = "nn.dim"(%a0) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<si64>
  return %0 : tensor<si64>
}

// CHECK-LABEL: @assume_dim_1(
// CHECK: "nn.assume_dim"(%arg0) : (tensor<?x3xf32>) -> tensor<2x3xf32>
func.func @assume_dim_1(%a0: tensor<?x3xf32>) -> tensor<2x3xf32> {
  %0 = "nn.assume_dim"(%a0) : (tensor<?x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: @gather_1(
// CHECK: "nn.gather"(%arg0, %arg1) {axis = 0 : i64} : (tensor<5x4xf32>, tensor<2x3xsi64>) -> tensor<2x3x4xf32>
func.func @gather_1(%a0: tensor<5x4xf32>, %a1: tensor<2x3xsi64>) -> tensor<2x3x4xf32> {
  %0 = "nn.gather"(%a0, %a1) {axis = 0 : i64} : (tensor<5x4xf32>, tensor<2x3xsi64>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @gather_elements_1(
// CHECK: "nn.gather_elements"(%arg0, %arg1) {axis = 0 : i64} : (tensor<5x4xf32>, tensor<2x4xsi32>) -> tensor<2x4xf32>
func.func @gather_elements_1(%a0: tensor<5x4xf32>, %a1: tensor<2x4xsi32>) -> tensor<2x4xf32> {
  %0 = "nn.gather_elements"(%a0, %a1) {axis = 0 : i64} : (tensor<5x4xf32>, tensor<2x4xsi32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: @gather_nd_1(
// CHECK: "nn.gather_nd"(%arg0, %arg1) {batch_dims = 1 : i64} : (tensor<2x5x4xf32>, tensor<2x3x1xsi64>) -> tensor<2x3x4xf32>
func.func @gather_nd_1(%a0: tensor<2x5x4xf32>, %a1: tensor<2x3x1xsi64>) -> tensor<2x3x4xf32> {
  %0 = "nn.gather_nd"(%a0, %a1) {batch_dims = 1 : i64} : (tensor<2x5x4xf32>, tensor<2x3x1xsi64>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @scatter_elements_1(
// CHECK: "nn.scatter_elements"(%arg0, %arg1, %arg2) {axis = 0 : i64, reduction = "add"} : (tensor<5x4xf32>, tensor<2x4xsi64>, tensor<2x4xf32>) -> tensor<5x4xf32>
func.func @scatter_elements_1(%a0: tensor<5x4xf32>, %a1: tensor<2x4xsi64>, %a2: tensor<2x4xf32>) -> tensor<5x4xf32> {
  %0 = "nn.scatter_elements"(%a0, %a1, %a2) {axis = 0 : i64, reduction = "add"} : (tensor<5x4xf32>, tensor<2x4xsi64>, tensor<2x4xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// CHECK-LABEL: @scatter_nd_1(
// CHECK: "nn.scatter_nd"(%arg0, %arg1, %arg2) {reduction = "none"} : (tensor<5x4xf32>, tensor<3x1xsi64>, tensor<3x4xf32>) -> tensor<5x4xf32>
func.func @scatter_nd_1(%a0: tensor<5x4xf32>, %a1: tensor<3x1xsi64>, %a2: tensor<3x4xf32>) -> tensor<5x4xf32> {
  %0 = "nn.scatter_nd"(%a0, %a1, %a2) {reduction = "none"} : (tensor<5x4xf32>, tensor<3x1xsi64>, tensor<3x4xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// CHECK-LABEL: @cumsum_1(
// CHECK: "nn.cumsum"(%arg0) {axis = 0 : i64, exclusive = true, reverse = false} : (tensor<5x4xf32>) -> tensor<5x4xf32>
func.func @cumsum_1(%a0: tensor<5x4xf32>) -> tensor<5x4xf32> {
  %0 = "nn.cumsum"(%a0) {axis = 0 : i64, exclusive = true, reverse = false} : (tensor<5x4xf32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// CHECK-LABEL: @topk_1(
// CHECK: "nn.topk"(%arg0) {axis = 0 : i64, k = 2 : i64, largest = true} : (tensor<5x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xsi64>)
func.func @topk_1(%a0: tensor<5x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xsi64>) {
  %0:2 = "nn.topk"(%a0) {axis = 0 : i64, k = 2 : i64, largest = true} : (tensor<5x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xsi64>)
  return %0#0, %0#1 : tensor<2x4xf32>, tensor<2x4xsi64>
}

// CHECK-LABEL: @argreduce_1(
// CHECK: "nn.argreduce"(%arg0) {axis = 1 : i64, kind = "max", last = false} : (tensor<5x4xf32>) -> tensor<5xsi64>
func.func @argreduce_1(%a0: tensor<5x4xf32>) -> tensor<5xsi64> {
  %0 = "nn.argreduce"(%a0) {axis = 1 : i64, kind = "max", last = false} : (tensor<5x4xf32>) -> tensor<5xsi64>
  return %0 : tensor<5xsi64>
}

// CHECK-LABEL: @reduce_1(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 0, 2>, kind = "sum"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
func.func @reduce_1(%a0: tensor<2x3x4xbf16>) -> tensor<3xbf16> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 0, 2>, kind = "sum"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
  return %0 : tensor<3xbf16>
}

// CHECK-LABEL: @reduce_2(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 0, 2>, kind = "mean"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
func.func @reduce_2(%a0: tensor<2x3x4xbf16>) -> tensor<3xbf16> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 0, 2>, kind = "mean"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
  return %0 : tensor<3xbf16>
}

// CHECK-LABEL: @reduce_3(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 0, 2>, kind = "max"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
func.func @reduce_3(%a0: tensor<2x3x4xbf16>) -> tensor<3xbf16> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 0, 2>, kind = "max"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
  return %0 : tensor<3xbf16>
}

// CHECK-LABEL: @reduce_4(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 0, 2>, kind = "min"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
func.func @reduce_4(%a0: tensor<2x3x4xbf16>) -> tensor<3xbf16> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 0, 2>, kind = "min"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
  return %0 : tensor<3xbf16>
}

// CHECK-LABEL: @reduce_5(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 0, 2>, kind = "prod"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
func.func @reduce_5(%a0: tensor<2x3x4xbf16>) -> tensor<3xbf16> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 0, 2>, kind = "prod"} : (tensor<2x3x4xbf16>) -> tensor<3xbf16>
  return %0 : tensor<3xbf16>
}

// CHECK-LABEL: @reduce_6(
// CHECK: "nn.reduce"(%arg0) {axes = array<i64: 1>, kind = "max"} : (tensor<2x3xi1>) -> tensor<2xi1>
func.func @reduce_6(%a0: tensor<2x3xi1>) -> tensor<2xi1> {
  %0 = "nn.reduce"(%a0) {axes = array<i64: 1>, kind = "max"} : (tensor<2x3xi1>) -> tensor<2xi1>
  return %0 : tensor<2xi1>
}

// CHECK-LABEL: @contract_1(
// CHECK: "nn.contract"(%arg0, %arg1) {spec = "bmk,bkn->bmn"} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
func.func @contract_1(%a0: tensor<2x3x4xf32>, %a1: tensor<2x4x5xf32>) -> tensor<2x3x5xf32> {
  %0 = "nn.contract"(%a0, %a1) {spec = "bmk,bkn->bmn"} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  return %0 : tensor<2x3x5xf32>
}

// CHECK-LABEL: @contract_2(
// CHECK: "nn.contract"(%arg0, %arg1) {spec = "mk,kn->nm"} : (tensor<3x4xbf16>, tensor<4x5xbf16>) -> tensor<5x3xf32>
func.func @contract_2(%a0: tensor<3x4xbf16>, %a1: tensor<4x5xbf16>) -> tensor<5x3xf32> {
  %0 = "nn.contract"(%a0, %a1) {spec = "mk,kn->nm"} : (tensor<3x4xbf16>, tensor<4x5xbf16>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
}

// CHECK-LABEL: @contract_3(
// CHECK: "nn.contract"(%arg0, %arg1) {spec = "mk,kn->mn"} : (tensor<3x4xui8>, tensor<4x5xsi8>) -> tensor<3x5xsi32>
func.func @contract_3(%a0: tensor<3x4xui8>, %a1: tensor<4x5xsi8>) -> tensor<3x5xsi32> {
  %0 = "nn.contract"(%a0, %a1) {spec = "mk,kn->mn"} : (tensor<3x4xui8>, tensor<4x5xsi8>) -> tensor<3x5xsi32>
  return %0 : tensor<3x5xsi32>
}

// CHECK-LABEL: @conv_1(
// CHECK: "nn.conv"(%arg0, %arg1) {dilations = array<i64: 1, 2>, groups = 2 : i64, layout = "nchw", pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x7x9xf32>, tensor<6x2x3x2xf32>) -> tensor<1x6x4x9xf32>
func.func @conv_1(%a0: tensor<1x4x7x9xf32>, %a1: tensor<6x2x3x2xf32>) -> tensor<1x6x4x9xf32> {
  %0 = "nn.conv"(%a0, %a1) {dilations = array<i64: 1, 2>, groups = 2 : i64, layout = "nchw", pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x7x9xf32>, tensor<6x2x3x2xf32>) -> tensor<1x6x4x9xf32>
  return %0 : tensor<1x6x4x9xf32>
}

// CHECK-LABEL: @conv_2(
// CHECK: "nn.conv"(%arg0, %arg1) {dilations = array<i64: 1, 2>, groups = 4 : i64, layout = "nhwc", pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x7x9x4xbf16>, tensor<3x2x1x4xbf16>) -> tensor<1x4x9x4xbf16>
func.func @conv_2(%a0: tensor<1x7x9x4xbf16>, %a1: tensor<3x2x1x4xbf16>) -> tensor<1x4x9x4xbf16> {
  %0 = "nn.conv"(%a0, %a1) {dilations = array<i64: 1, 2>, groups = 4 : i64, layout = "nhwc", pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x7x9x4xbf16>, tensor<3x2x1x4xbf16>) -> tensor<1x4x9x4xbf16>
  return %0 : tensor<1x4x9x4xbf16>
}

// CHECK-LABEL: @conv_transpose_1(
// CHECK: "nn.conv_transpose"(%arg0, %arg1) {dilations = array<i64: 1, 2>, groups = 2 : i64, output_pads = array<i64: 1, 0>, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x5x6xf32>, tensor<4x3x3x2xf32>) -> tensor<1x6x10x6xf32>
func.func @conv_transpose_1(%a0: tensor<1x4x5x6xf32>, %a1: tensor<4x3x3x2xf32>) -> tensor<1x6x10x6xf32> {
  %0 = "nn.conv_transpose"(%a0, %a1) {dilations = array<i64: 1, 2>, groups = 2 : i64, output_pads = array<i64: 1, 0>, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x4x5x6xf32>, tensor<4x3x3x2xf32>) -> tensor<1x6x10x6xf32>
  return %0 : tensor<1x6x10x6xf32>
}

// CHECK-LABEL: @pool_1(
// CHECK: "nn.pool"(%arg0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "max", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
func.func @pool_1(%a0: tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32> {
  %0 = "nn.pool"(%a0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "max", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
  return %0 : tensor<1x2x4x9xf32>
}

// CHECK-LABEL: @pool_2(
// CHECK: "nn.pool"(%arg0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "average", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
func.func @pool_2(%a0: tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32> {
  %0 = "nn.pool"(%a0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "average", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
  return %0 : tensor<1x2x4x9xf32>
}

// CHECK-LABEL: @pool_3(
// CHECK: "nn.pool"(%arg0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "lp", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
func.func @pool_3(%a0: tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32> {
  %0 = "nn.pool"(%a0) {count_include_pad = false, dilations = array<i64: 1, 2>, kernel = array<i64: 3, 2>, kind = "lp", layout = "nchw", p = 2 : i64, pads_high = array<i64: 1, 2>, pads_low = array<i64: 1, 0>, strides = array<i64: 2, 1>} : (tensor<1x2x7x9xf32>) -> tensor<1x2x4x9xf32>
  return %0 : tensor<1x2x4x9xf32>
}

// CHECK-LABEL: @resize_1(
// CHECK: "nn.resize"(%arg0) {antialias = false, coordinate = "half_pixel", cubic_a = -7.500000e-01 : f64, exclude_outside = false, extrapolation = 0.000000e+00 : f64, mode = "linear", nearest = "floor", roi = array<f64>, scales = array<f64: 1.000000e+00, 1.000000e+00, 2.000000e+00, 1.500000e+00>} : (tensor<1x2x4x5xf32>) -> tensor<1x2x8x7xf32>
func.func @resize_1(%a0: tensor<1x2x4x5xf32>) -> tensor<1x2x8x7xf32> {
  %0 = "nn.resize"(%a0) {antialias = false, coordinate = "half_pixel", cubic_a = -7.500000e-01 : f64, exclude_outside = false, extrapolation = 0.000000e+00 : f64, mode = "linear", nearest = "floor", roi = array<f64>, scales = array<f64: 1.000000e+00, 1.000000e+00, 2.000000e+00, 1.500000e+00>} : (tensor<1x2x4x5xf32>) -> tensor<1x2x8x7xf32>
  return %0 : tensor<1x2x8x7xf32>
}

// CHECK-LABEL: @lrn_1(
// CHECK: "nn.lrn"(%arg0) {alpha = 1.000000e-04 : f64, beta = 7.500000e-01 : f64, bias = 1.000000e+00 : f64, layout = "nchw", size = 3 : i64} : (tensor<1x5x3xf32>) -> tensor<1x5x3xf32>
func.func @lrn_1(%a0: tensor<1x5x3xf32>) -> tensor<1x5x3xf32> {
  %0 = "nn.lrn"(%a0) {alpha = 1.000000e-04 : f64, beta = 7.500000e-01 : f64, bias = 1.000000e+00 : f64, layout = "nchw", size = 3 : i64} : (tensor<1x5x3xf32>) -> tensor<1x5x3xf32>
  return %0 : tensor<1x5x3xf32>
}

// CHECK-LABEL: @softmax_1(
// CHECK: "nn.softmax"(%arg0) {axis = 1 : i64} : (tensor<2x5xf32>) -> tensor<2x5xf32>
func.func @softmax_1(%a0: tensor<2x5xf32>) -> tensor<2x5xf32> {
  %0 = "nn.softmax"(%a0) {axis = 1 : i64} : (tensor<2x5xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// CHECK-LABEL: @log_softmax_1(
// CHECK: "nn.log_softmax"(%arg0) {axis = 0 : i64} : (tensor<2x5xf16>) -> tensor<2x5xf16>
func.func @log_softmax_1(%a0: tensor<2x5xf16>) -> tensor<2x5xf16> {
  %0 = "nn.log_softmax"(%a0) {axis = 0 : i64} : (tensor<2x5xf16>) -> tensor<2x5xf16>
  return %0 : tensor<2x5xf16>
}

// CHECK-LABEL: @layer_norm_1(
// CHECK: "nn.layer_norm"(%arg0, %arg1, %arg2) {axis = 1 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
func.func @layer_norm_1(%a0: tensor<2x3x4xf32>, %a1: tensor<3x4xf32>, %a2: tensor<3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.layer_norm"(%a0, %a1, %a2) {axis = 1 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @rms_norm_1(
// CHECK: "nn.rms_norm"(%arg0, %arg1) {axis = 2 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
func.func @rms_norm_1(%a0: tensor<2x3x4xf32>, %a1: tensor<4xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.rms_norm"(%a0, %a1) {axis = 2 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @batch_norm_1(
// CHECK: "nn.batch_norm"(%arg0, %arg1, %arg2, %arg3, %arg4) {axis = 1 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4xf32>
func.func @batch_norm_1(%a0: tensor<2x3x4xf32>, %a1: tensor<3xf32>, %a2: tensor<3xf32>, %a3: tensor<3xf32>, %a4: tensor<3xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.batch_norm"(%a0, %a1, %a2, %a3, %a4) {axis = 1 : i64, epsilon = 1.000000e-05 : f64} : (tensor<2x3x4xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @group_norm_1(
// CHECK: "nn.group_norm"(%arg0, %arg1, %arg2) {epsilon = 1.000000e-05 : f64, groups = 2 : i64} : (tensor<2x4x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
func.func @group_norm_1(%a0: tensor<2x4x3xf32>, %a1: tensor<4xf32>, %a2: tensor<4xf32>) -> tensor<2x4x3xf32> {
  %0 = "nn.group_norm"(%a0, %a1, %a2) {epsilon = 1.000000e-05 : f64, groups = 2 : i64} : (tensor<2x4x3xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4x3xf32>
  return %0 : tensor<2x4x3xf32>
}

// CHECK-LABEL: @attention_1(
// CHECK: "nn.attention"(%arg0, %arg1, %arg2) {causal = true, scale = 5.000000e-01 : f64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
func.func @attention_1(%a0: tensor<2x3x4xf32>, %a1: tensor<2x3x4xf32>, %a2: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %0 = "nn.attention"(%a0, %a1, %a2) {causal = true, scale = 5.000000e-01 : f64} : (tensor<2x3x4xf32>, tensor<2x3x4xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: @attention_2(
// CHECK: "nn.attention"(%arg0, %arg1, %arg2, %arg3) {causal = false, scale = 5.000000e-01 : f64} : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x6xf32>, tensor<1x3x5xi1>) -> tensor<2x3x6xf32>
func.func @attention_2(%a0: tensor<2x3x4xf32>, %a1: tensor<2x5x4xf32>, %a2: tensor<2x5x6xf32>, %a3: tensor<1x3x5xi1>) -> tensor<2x3x6xf32> {
  %0 = "nn.attention"(%a0, %a1, %a2, %a3) {causal = false, scale = 5.000000e-01 : f64} : (tensor<2x3x4xf32>, tensor<2x5x4xf32>, tensor<2x5x6xf32>, tensor<1x3x5xi1>) -> tensor<2x3x6xf32>
  return %0 : tensor<2x3x6xf32>
}

// CHECK-LABEL: @weight
// CHECK: "nn.weight"() {ref = "w"} : () -> tensor<1000x2xf32>
func.func @weight() -> tensor<1000x2xf32> {
  %0 = "nn.weight"() {ref = "w"} : () -> tensor<1000x2xf32>
  return %0 : tensor<1000x2xf32>
}

// CHECK-LABEL: @fusion
// CHECK: "nn.fusion"
// CHECK: "nn.yield"
func.func @fusion(%a: tensor<2x?xf32>) -> tensor<2x?xf32> {
  %0 = "nn.fusion"(%a) ({
  ^bb0(%b: tensor<2x?xf32>):
    %1 = "nn.relu"(%b) : (tensor<2x?xf32>) -> tensor<2x?xf32>
    %2 = "nn.exp"(%1) : (tensor<2x?xf32>) -> tensor<2x?xf32>
    "nn.yield"(%2) {operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x?xf32>) -> ()
  }) {operandSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x?xf32>) -> tensor<2x?xf32>
  return %0 : tensor<2x?xf32>
}

// A result may say more, or less, than what is inferred.
// CHECK-LABEL: @refined
// CHECK: "nn.relu"(%arg0) : (tensor<2x?xf32>) -> tensor<2x3xf32>
func.func @refined(%a: tensor<2x?xf32>) -> tensor<2x3xf32> {
  %0 = "nn.relu"(%a) : (tensor<2x?xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
