// RUN: accelc-opt %s --canonicalize --cse --mlir-print-ir-after=cse 2>&1 >/dev/null | filecheck %s --check-prefix=AFTER
// RUN: accelc-opt %s --canonicalize --cse --mlir-print-ir-before-all 2>&1 >/dev/null | filecheck %s --check-prefix=ALL
// RUN: accelc-opt %s --cse --canonicalize --mlir-print-ir-after-change 2>&1 >/dev/null | filecheck %s --check-prefix=CHANGE
// RUN: accelc-opt %s --canonicalize --mlir-timing 2>&1 >/dev/null | filecheck %s --check-prefix=TIME
// RUN: accelc-opt %s --mlir-elide-elementsattrs-if-larger=2 | filecheck %s --check-prefix=ELIDE
// RUN: accelc-opt %s --mlir-print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: accelc-opt %s --cse --mlir-print-ir-tree-dir=%t.dir -o %t.out && ls %t.dir | filecheck %s --check-prefix=TREE

// AFTER-NOT: canonicalize
// AFTER: // -----// IR Dump After cse //----- //
// ALL: IR Dump Before canonicalize
// ALL: IR Dump Before cse
// CHANGE: IR Dump After cse
// CHANGE-NOT: IR Dump After canonicalize
// TIME: s (100.0%)  total
// ELIDE: dense_resource<__elided__>
// GENERIC: "func.return"
// TREE: 0_input.mlir
// TREE: 1_cse.mlir
func.func @f(%a: i32) -> tensor<3xi32> {
  %0 = arith.muli %a, %a : i32
  %1 = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  return %1 : tensor<3xi32>
}
