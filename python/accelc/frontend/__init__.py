"""Frontends: each turns one kind of model into a module of `nn` and a store of constants."""
