"""Lazy transposes, used by `nn-layout`."""
