"""Ops that no kernel does as such, expressed by smaller ones."""
