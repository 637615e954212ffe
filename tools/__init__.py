"""The command line: `accelc` and `accelc-opt`."""

if __name__ != "accelc.tools":
    raise ImportError(f"import this package as 'accelc.tools', not as '{__name__}'")
