// RUN: accelc-opt %s --sim-lower=machine=edge | filecheck %s

// Two rounds of load, compute, store: each round has its own copy of both tiles, chosen by the round's parity, and the
// queues meet at semaphores. Two rounds never reuse a copy, so nobody waits for one to be free.

// CHECK-LABEL: func.func @entry(%arg0: i64, %arg1: i64)
// CHECK: "sim_accel.loop"() ({
// CHECK: ^bb0([[I:%.*]]: i64):
// CHECK: [[PARITY:%.*]] = "sim_accel.sand"
// CHECK: [[COPY:%.*]] = "sim_accel.smul"([[PARITY]])
// CHECK: "sim_accel.dma_load"([[COPY]]
// CHECK: "sim_accel.signal"() {n = "1", q = "dma0", sem = 0 : i64}
// CHECK: "sim_accel.wait"() {n = "1", q = "vec", sem = 0 : i64}
// CHECK: "sim_accel.vexp"([[COPY]])
// CHECK: "sim_accel.signal"() {n = "1", q = "vec", sem = 1 : i64}
// CHECK: "sim_accel.wait"() {n = "1", q = "dma1", sem = 1 : i64}
// CHECK: "sim_accel.dma_store"
// CHECK: "sim_accel.halt"
#id = affine_map<(i) -> (i)>
module {
  module @k0 attributes {accelc.device = "target"} {
    func.func @entry(%x: memref<128xf32>, %y: memref<128xf32>) attributes {accelc.num_outputs = 1 : i64} {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
      %c128 = arith.constant 128 : index
      scf.for %i = %c0 to %c128 step %c64 {
        %a = memref.alloc() : memref<64xf32, "scratchpad">
        "sim_accel.tile_load"(%x, %a, %i) {dims = array<i64: 0>, steps = array<i64: 1>, fill = 0.0 : f32}
          : (memref<128xf32>, memref<64xf32, "scratchpad">, index) -> ()
        %b = memref.alloc() : memref<64xf32, "scratchpad">
        linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
            ins(%a : memref<64xf32, "scratchpad">) outs(%b : memref<64xf32, "scratchpad">) {
        ^bb0(%in: f32, %out: f32):
          %e = math.exp %in : f32
          linalg.yield %e : f32
        }
        "sim_accel.tile_store"(%b, %y, %i) {dims = array<i64: 0>, steps = array<i64: 1>}
          : (memref<64xf32, "scratchpad">, memref<128xf32>, index) -> ()
      }
      return
    }
  }
}
