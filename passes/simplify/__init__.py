"""Rewrites of `nn-simplify`, by the group of ops that they start from."""
