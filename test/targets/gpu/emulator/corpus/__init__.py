"""Kernels of several origins, and what each must compute."""
