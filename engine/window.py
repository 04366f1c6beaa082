"""Sums since the last training record, kept on the device so that no step waits for them."""

from __future__ import annotations

import time

import msgspec
import torch
from torch import Tensor

from engine.device_clock import device_clock
from engine.distributed import World

_CPU = torch.device("cpu")


class WindowSums(msgspec.Struct, frozen=True):
    """loss: sum of the updates' mean losses in nats. norm: of gradient norms.

    made: updates that changed the weights. skipped: those that did not. steps: both.
    """

    loss: float = 0.0
    norm: float = 0.0
    made: float = 0.0
    skipped: float = 0.0
    steps: int = 0


class Window:
    """Loss and gradient norm of the updates that were made; those that were skipped are only counted.

    steps: since the last record, made and skipped.
    """

    def __init__(self, world: World, before: WindowSums) -> None:
        """before: of an attempt that was stopped inside a window."""
        self._world = world
        # the loss of an earlier attempt is that of all processes, and they are summed up again
        sums = (before.loss if world.is_main else 0.0, before.norm, before.made, before.skipped)
        self._sums = torch.tensor(sums, dtype=torch.float64, device=world.device)
        self.steps = before.steps

    def add(self, loss: Tensor, norm: Tensor, skipped: Tensor) -> None:
        """One step. loss: () of this process's share. norm: () of the whole gradient. skipped: () 0 or 1."""
        made = torch.stack([loss.double(), norm.double(), (1.0 - skipped).double(), skipped.double()])
        made[:2].masked_fill_(skipped > 0, 0.0)  # not a product: 0 · nan is nan
        self._sums += made
        self.steps += 1

    def read(self) -> WindowSums:
        """The sums over all processes, the same on each; waits for the device."""
        sums = self._sums.clone()
        self._world.sum(
            sums[:1]
        )  # each process knows the loss of its own share; the others are the same everywhere
        loss, norm, made, skipped = sums.tolist()
        return WindowSums(loss, norm, made, skipped, self.steps)

    def clear(self) -> None:
        """Begin anew."""
        self._sums.zero_()
        self.steps = 0


class Stopwatch:
    """Where the time of this attempt's steps goes; evaluations, probes and checkpoints are left out."""

    def __init__(self, device: torch.device = _CPU) -> None:
        self._clock = device_clock(device)
        self.restart(0)

    @property
    def compute_s(self) -> float:
        """Seconds that this process, or its GPU, computed in this window; waiting for others left out."""
        return self._clock.seconds()

    def slowest_pass(self) -> float:
        """Seconds of the longest pass that has ended since this was last asked; on CUDA some steps later."""
        return self._clock.slowest()

    def restart(self, step: int) -> None:
        """Begin a window at this step."""
        self._started = time.perf_counter()
        self._first = step
        self._mark = self._started
        self.data_s = 0.0
        self._clock.restart()
        self.tokens = 0

    def begin(self) -> None:
        """Data, or arithmetic, begin now."""
        self._mark = time.perf_counter()

    def end_data(self) -> None:
        """A batch is there; what follows is arithmetic."""
        now = time.perf_counter()
        self.data_s += now - self._mark
        self._clock.begin()

    def end_compute(self) -> None:
        """This process's arithmetic of a micro-batch is done, or on CUDA queued; what follows is data."""
        self._clock.end()
        self._mark = time.perf_counter()

    def leave_out(self, seconds: float) -> None:
        """Something that is not training took so long."""
        self._started += seconds

    def num_steps(self, step: int) -> int:
        """Steps of the window up to this one."""
        return step - self._first

    def elapsed_s(self) -> float:
        """Seconds of training in this window."""
        return time.perf_counter() - self._started
