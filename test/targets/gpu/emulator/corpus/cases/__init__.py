"""The cases of every source; importing this module registers them in `corpus.harness.CASES`."""

from __future__ import annotations

from corpus.cases import clusters, control, convert, groups, hopper, library, matrices, memory, numbers, system

__all__ = ["clusters", "control", "convert", "groups", "hopper", "library", "matrices", "memory", "numbers", "system"]
