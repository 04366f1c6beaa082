"""The machine one sits at, as estimates need it; light, since the list of presets asks at once."""

from __future__ import annotations

import os

from presets.estimate import DeviceMemory, Machine
from runs.host_memory import host_memory


def this_machine(num_gpus: int | None = None, gpus: tuple[DeviceMemory, ...] = ()) -> Machine:
    """Cores this process may use, and memory. num_gpus: None while nobody has looked. gpus: their memory."""
    memory, free = host_memory()
    can_ask = hasattr(os, "sched_getaffinity")  # a container may allow fewer cores than there are
    num_cores = len(os.sched_getaffinity(0)) if can_ask else os.cpu_count() or 1
    return Machine(num_cores, memory, num_gpus, free_memory_bytes=free, gpus=gpus)
