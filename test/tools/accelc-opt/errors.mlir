// Each mistake gives one clear message, and status 2.
// RUN: not accelc-opt %s 2>&1 | filecheck %s
// RUN: not accelc-opt %s --no-such-pass 2>&1 | filecheck %s --check-prefix=PASS
// RUN: not accelc-opt %s.missing 2>&1 | filecheck %s --check-prefix=MISSING
// RUN: not accelc-opt %s --cse --pass-pipeline=cse 2>&1 | filecheck %s --check-prefix=BOTH
// RUN: not accelc-opt %s --target=nope 2>&1 | filecheck %s --check-prefix=TARGET
// RUN: not accelc-opt %s --run-reproducer 2>&1 | filecheck %s --check-prefix=REPRODUCER
// RUN: not accelc-opt %s --verify-each=perhaps 2>&1 | filecheck %s --check-prefix=BOOL

// CHECK: errors.mlir:[[LINE:[0-9]+]]:3: error: type of return operand 0
// CHECK-NEXT: return %a : i32
// CHECK-NEXT: ^
// PASS: accelc-opt: error: there is no pass 'no-such-pass'
// MISSING: accelc-opt: error: cannot read '{{.*}}errors.mlir.missing': No such file or directory
// BOTH: accelc-opt: error: --pass-pipeline and --cse cannot be combined
// TARGET: accelc-opt: error: there is no target 'nope'
// REPRODUCER: is not a reproducer: its first line does not begin with '// accelc-opt'
// BOOL: expected true or false, not 'perhaps'
func.func @f(%a: i32) -> f32 {
  return %a : i32
}
