"""Code generation: reading kernels, choosing tiles, placing buffers, synchronization, instruction selection."""
