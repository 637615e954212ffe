"""The kernels of a lowered module as texts, each to be compiled alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accelc.passes.graph import kernels_of


@dataclass(frozen=True)
class KernelText:
    """One kernel: its name in the plan, its device, and its text without locations."""

    name: str
    device: str
    text: str


def kernel_texts(module: Any) -> list[KernelText]:
    """The kernel modules nested in ``module``, in order."""
    return [
        KernelText(
            name=name,
            device=kernel.attributes["accelc.device"].value if "accelc.device" in kernel.attributes else "target",
            # Neither locations nor the name: equal kernels of different models share one cache entry.
            text=f"module {{\n{_anonymous(name, kernel)}\n}}\n",
        )
        for name, kernel in kernels_of(module)
    ]


def _anonymous(name: str, kernel: Any) -> str:
    # The pipeline has verified the module, all of which MLIR would verify again for each kernel.
    text: str = kernel.get_asm(enable_debug_info=False, assume_verified=True)
    return text.replace(f"module @{name} ", "module @kernel ", 1)
