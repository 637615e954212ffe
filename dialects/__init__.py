"""The dialects that belong to no target, and the interpreter that executes every stage."""

if __name__ != "accelc.dialects":
    raise ImportError("import accelc.dialects, not dialects: two copies of a dialect class break MLIR's registration")
