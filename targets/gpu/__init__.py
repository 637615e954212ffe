"""NVIDIA GPUs: machine descriptions and an analytical cost model."""
