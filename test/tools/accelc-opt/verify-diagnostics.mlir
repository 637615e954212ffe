// RUN: accelc-opt %s --split-input-file --verify-diagnostics -o %t

// expected-error @below {{type of return operand 0 ('i32') doesn't match}}
func.func @below(%a: i32) -> f32 { return %a : i32 }

// -----

func.func @above() { foo.bar }
// expected-error @above {{Dialect `foo' not found}}
// expected-note @-2 {{Available dialects}}

// -----

// expected-error-re @+2 {{type of return operand {{[0-9]+}} ('i64')}}
func.func @regex(%a: i64) -> f32 {
  return %a : i64
}

// -----

func.func @same_line(%a: i64) -> f32 {
  return %a : i64 // expected-error {{type of return operand}}
}

// -----

func.func @fine() { return }
