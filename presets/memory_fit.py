"""Whether a run fits into the memory that is free on its devices: green, amber or red, a word and a sign."""

from __future__ import annotations

from typing import Literal

import msgspec

from presets.costs import RUNTIME_BYTES
from presets.estimate import Estimate, Machine
from presets.schema import RunConfig

Level = Literal["green", "amber", "red", "unknown"]

SIGNS: dict[Level, str] = {"green": "✓", "amber": "!", "red": "✗", "unknown": "?"}
WORDS: dict[Level, str] = {"green": "fits", "amber": "tight", "red": "too large", "unknown": "not compared"}


class MemoryFit(msgspec.Struct, frozen=True):
    """Bytes of one device, the runtime's own included; on a CPU, of all the run's processes together.

    high: what it may be at most, by the estimate's own range. free: what the device has left now; total: all.
    place: what the figures are of, such as `each GPU`.
    """

    level: Level
    needed_bytes: float
    high_bytes: float
    free_bytes: int
    total_bytes: int
    place: str

    @property
    def sign(self) -> str:
        return SIGNS[self.level]

    @property
    def word(self) -> str:
        return WORDS[self.level]


def memory_fit(config: RunConfig, figures: Estimate, machine: Machine) -> MemoryFit:
    """Compare the estimate with what is free: green when even its upper end fits, red when it does not itself.

    A GPU is compared by the fullest of those that the run would take, which are the emptiest ones.
    """
    estimated, high = figures.memory_bytes.value or 0.0, figures.memory_bytes.high or 0.0
    runtime = RUNTIME_BYTES["cuda" if figures.on_gpu else "cpu"]
    processes = config.launch.num_processes
    if figures.on_gpu:
        wanted = sorted(machine.gpus, key=lambda gpu: gpu.free_bytes, reverse=True)[:processes]
        worst = wanted[-1] if wanted else None
        free, total = (worst.free_bytes, worst.total_bytes) if worst else (0, 0)
        needed, most = estimated + runtime, high + runtime
        place = "the GPU" if processes == 1 else "each GPU"
    else:
        free = machine.free_memory_bytes
        total = machine.memory_bytes if free else 0  # not every system tells what is free
        needed, most = (estimated + runtime) * processes, (high + runtime) * processes
        place = "this machine"
    return MemoryFit(_level(needed, most, free, total), needed, most, free, total, place)


def _level(needed: float, most: float, free: int, total: int) -> Level:
    if not total:
        return "unknown"
    if needed > free:
        return "red"
    return "amber" if most > free else "green"
