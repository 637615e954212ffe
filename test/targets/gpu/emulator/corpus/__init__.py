"""Kernels of several origins, and what each must compute.

`*.cu` hold kernels, `cases/*.py` what they must compute, `harness.py` how a case is run (plain, with the sanitizer,
on several threads). A new kernel goes into the source of its subject, and a function under `@case("subject.cu")`
beside the others launches it and compares. `nvcc.py`, `triton_compile.py` and `mlir_kernels.py` make PTX; what
outside compilers made is kept under `build/`.
"""
