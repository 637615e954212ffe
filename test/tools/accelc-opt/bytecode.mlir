// RUN: accelc-opt %s --emit-bytecode -o %t.mlirbc && accelc-opt %t.mlirbc | filecheck %s
// RUN: accelc-opt %s --allow-unregistered-dialect --emit-bytecode | accelc-opt | filecheck %s
// CHECK: func.func @f
func.func @f() {
  return
}
