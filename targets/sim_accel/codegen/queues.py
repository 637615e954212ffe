"""Which DMA queue each transfer takes.

Stores have the last queue, so that a store waiting for its result never holds up a load. Loads are spread over the
others by bytes moved, all transfers of one loop level in order.
"""

from __future__ import annotations

import math

from accelc.targets.sim_accel.codegen.memory import rounds
from accelc.targets.sim_accel.codegen.schedule import Body, Transfer
from accelc.targets.sim_accel.limits import Limits


def assign_queues(segment: Body, limits: Limits) -> None:
    """Sets the queue of every transfer of a segment."""
    last = limits.config.dma_queues - 1
    loads: list[tuple[float, Transfer]] = []
    for body in segment.bodies():
        for node in body.nodes:
            if isinstance(node, Transfer):
                if node.kind == "store":
                    node.queue = f"dma{last}"
                else:
                    loads.append((rounds(body) * math.prod(node.tile.shape) * node.tile.itemsize, node))
    busy = [0.0] * max(1, last)
    for nbytes, node in sorted(loads, key=lambda x: -x[0]):
        at = busy.index(min(busy))
        busy[at] += nbytes
        node.queue = f"dma{at}"
