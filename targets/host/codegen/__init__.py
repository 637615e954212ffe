"""Writes tiled kernels: `vector` code over flat memrefs, made straight from a kernel's linalg.

`reader` turns a kernel into plain data, a family (one file each) writes loops and tiles with `writer`, and `evaluate`
computes any elementwise value where a family needs it.
"""
