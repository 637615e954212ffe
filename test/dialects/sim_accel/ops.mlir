// RUN: accelc-opt %s | accelc-opt | filecheck %s

// CHECK-LABEL: @program
// CHECK: "sim_accel.loop"() ({
// CHECK: ^bb0([[I:%.*]]: i64):
// CHECK: [[O:%.*]] = "sim_accel.smul"([[I]]) {x = "$0", y = "64"}
// CHECK: "sim_accel.dma_load"(%arg0, [[O]])
// CHECK-SAME: a = "bf16[$0 : 1]"
// CHECK: "sim_accel.mm_mul"
// CHECK: "sim_accel.endloop"
// CHECK: "sim_accel.halt"
func.func @program(%x: i64) {
  "sim_accel.loop"() ({
  ^bb0(%i: i64):
    %o = "sim_accel.smul"(%i) {x = "$0", y = "64"} : (i64) -> i64
    "sim_accel.dma_load"(%x, %o) {q = "dma0", dst = "bf16[$1+128 : 1]", a = "bf16[$0 : 1]", shape = "<32>"} : (i64, i64) -> ()
    "sim_accel.signal"() {q = "dma0", sem = 0 : i64, n = "1"} : () -> ()
    "sim_accel.wait"() {q = "mxu", sem = 0 : i64, n = "1"} : () -> ()
    "sim_accel.mm_load"() {a = "bf16[4096 : 16]", k = "16", n = "16"} : () -> ()
    "sim_accel.mm_mul"(%o) {dst = "f32[8192 : 16]", a = "bf16[$0+128 : 16]", kstride = "1", shape = "<2>"} : (i64) -> ()
    "sim_accel.vmax"() {ct = "f32", dst = "f32[8192 : 1]", a = "f32[8192 : 1]", b = "#0x00000000", shape = "<32>"} : () -> ()
    "sim_accel.endloop"() : () -> ()
  }) {count = "4", start = "0", inc = "1"} : () -> ()
  "sim_accel.halt"() : () -> ()
  return
}

// CHECK-LABEL: @transfers
// CHECK: "sim_accel.tile_load"
// CHECK: "sim_accel.tile_store"
func.func @transfers(%x: memref<8x8xf32>, %p: index) {
  %t = memref.alloc() : memref<4x4xbf16, "scratchpad">
  "sim_accel.tile_load"(%x, %t, %p, %p) {dims = array<i64: 1, 0>, steps = array<i64: 1, 2>, fill = 0.0 : bf16}
    : (memref<8x8xf32>, memref<4x4xbf16, "scratchpad">, index, index) -> ()
  "sim_accel.tile_store"(%t, %x, %p, %p) {dims = array<i64: 1, 0>, steps = array<i64: 1, 2>}
    : (memref<4x4xbf16, "scratchpad">, memref<8x8xf32>, index, index) -> ()
  return
}
