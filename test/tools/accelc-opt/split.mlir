// Parts are taken one by one, and keep their place in the file.
// RUN: accelc-opt %s --split-input-file | filecheck %s
// RUN: accelc-opt %s --split-input-file --mlir-print-debuginfo | filecheck %s --check-prefix=WHERE

// CHECK: func.func @f
// CHECK: // -----
// CHECK: func.func @f
// WHERE: #loc1 = loc({{.*}}:18:1)
func.func @f() {
  return
}

// -----

// Only one part may define @f.
// (These lines are counted by the check above.)

func.func @f() {
  return
}
