"""The patterns of `nn-recognize`."""
