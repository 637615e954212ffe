// A reproducer names its pipeline in the first line, and is replayed with the flags given beside it.
// RUN: echo "// accelc-opt --pass-pipeline='builtin.module(cse,canonicalize)'" > %t.mlir && cat %s >> %t.mlir
// RUN: accelc-opt %t.mlir --run-reproducer | filecheck %s
// CHECK: func.func @f
// CHECK-NEXT: return %arg0 : i32
func.func @f(%a: i32) -> i32 {
  %0 = arith.muli %a, %a : i32
  return %a : i32
}
