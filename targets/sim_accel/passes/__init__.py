"""The passes of this target, one file each."""
