// What is missing and what is not expected are both reported, with exit status 1.
// RUN: not accelc-opt %s --split-input-file --verify-diagnostics 2>&1 >/dev/null | filecheck %s

// CHECK: verify-diagnostics-fails.mlir:8: error: expected error "other words" was not produced
// CHECK: verify-diagnostics-fails.mlir:13: error: unexpected error: type of return operand 0
// CHECK-NOT: see current operation

// expected-error {{other words}}
func.func @f() { return }

// -----

func.func @g(%a: i32) -> f32 { return %a : i32 }
