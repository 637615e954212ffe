// RUN: accelc-opt %s --split-input-file --verify-diagnostics

func.func @missing() {
  // expected-error @+1 {{sim_accel.vadd: attribute 'shape' is missing}}
  "sim_accel.vadd"() {ct = "f32", dst = "f32[0 : 1]", a = "f32[0 : 1]", b = "f32[0 : 1]"} : () -> ()
  return
}

// -----

func.func @operand(%x: i64) {
  // expected-error @+1 {{$1 names operand 1 of 1}}
  %y = "sim_accel.sadd"(%x) {x = "$0", y = "$1"} : (i64) -> i64
  return
}

// -----

func.func @rank() {
  // expected-error @+1 {{operand a has 1 strides where 2 are needed}}
  "sim_accel.vcopy"() {ct = "f32", dst = "f32[0 : 4, 1]", a = "f32[0 : 1]", shape = "<4, 4>"} : () -> ()
  return
}

// -----

func.func @type() {
  // expected-error @+1 {{'f99[0 : 1]' is not a tile}}
  "sim_accel.vcopy"() {ct = "f32", dst = "f99[0 : 1]", a = "f32[0 : 1]", shape = "<4>"} : () -> ()
  return
}

// -----

func.func @accumulator() {
  // expected-error @+1 {{a bf16 accumulator for bf16 activations}}
  "sim_accel.mm_mul"() {dst = "bf16[0 : 4]", a = "bf16[0 : 4]", kstride = "1", shape = "<4>"} : () -> ()
  return
}

// -----

func.func @space(%x: memref<8xf32>, %y: memref<8xf32>, %p: index) {
  // expected-error @+1 {{one side must be DRAM, the other in the scratchpad}}
  "sim_accel.tile_load"(%x, %y, %p) {dims = array<i64: 0>, steps = array<i64: 1>, fill = 0.0 : f32}
    : (memref<8xf32>, memref<8xf32>, index) -> ()
  return
}

// -----

func.func @positions(%x: memref<8x8xf32>, %p: index) {
  %t = memref.alloc() : memref<8xf32, "scratchpad">
  // expected-error @+1 {{1 positions for a memref of rank 2}}
  "sim_accel.tile_load"(%x, %t, %p) {dims = array<i64: 1>, steps = array<i64: 1>, fill = 0.0 : f32}
    : (memref<8x8xf32>, memref<8xf32, "scratchpad">, index) -> ()
  return
}
