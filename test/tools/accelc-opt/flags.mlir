// Passes as flags run in order; `-o -` and one dash are as good; upstream passes are nested where they must be.
// RUN: accelc-opt %s --canonicalize --cse | filecheck %s
// RUN: accelc-opt %s -canonicalize -cse -o - | filecheck %s
// RUN: accelc-opt %s --pass-pipeline='builtin.module(canonicalize,func.func(cse))' | filecheck %s
// RUN: cat %s | accelc-opt --pass-pipeline='canonicalize,cse' - | filecheck %s
// RUN: accelc-opt %s --canonicalize='max-iterations=0' | filecheck %s --check-prefix=BOUNDED
// RUN: accelc-opt %s --convert-gpu-to-nvvm --dump-pass-pipeline 2>&1 | filecheck %s --check-prefix=NESTED

// CHECK: func.func @f
// CHECK-NEXT: return %arg0 : i32
// BOUNDED: arith.muli
// NESTED: builtin.module(gpu.module(convert-gpu-to-nvvm))
func.func @f(%a: i32) -> i32 {
  %0 = arith.muli %a, %a : i32
  return %a : i32
}
