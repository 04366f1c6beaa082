"""Batches of several steps made in one go: making a small one is mostly the launching of operations."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import torch

from engine.curriculum import sequence_length
from engine.data.masking import MaskedBatch
from engine.distributed import World
from engine.objectives import Draw
from engine.preparation import Prepared

_ROWS_AT_ONCE = 512  # of one process; more would cost memory and gain little


@dataclass(frozen=True)
class StepBatch:
    """One step's samples. counts: of the global batch, see `Objective.counts`. mine: this process's rows.

    ready: those rows as a batch, when several steps' were made at once, else None.
    """

    draw: Draw
    counts: tuple[float, ...]
    mine: Draw
    ready: MaskedBatch | None


class BatchesAhead:
    """Gives every step its samples and, where it can, their batch, made together with those of later steps.

    A batch is a function of its samples alone, so it is the same whenever it is made. Only batches of masked
    tokens that all steps make alike are made ahead: of other objectives, of a stream that is still being read, and
    while lengths or mask rates change, each is made when it is needed.
    """

    def __init__(self, run: Prepared, world: World) -> None:
        self.run = run
        self.world = world
        rows = -(-run.global_batch // world.size)
        config = run.config
        is_uniform = config.objective.kind == "mlm" and not config.objective.mask_rate_end
        is_uniform &= not config.curriculum.start_length
        self._num_steps = max(1, _ROWS_AT_ONCE // rows) if is_uniform else 1
        self._ready: deque[tuple[int, StepBatch]] = deque()

    def step(self, samples_before: int, share: float) -> StepBatch:
        """The samples after the first `samples_before` of the run. share: of the run's steps that are over.

        Raises what `SampleStream.take` raises.
        """
        if not self._ready or self._ready[0][0] != samples_before:
            self._ready.clear()
            self._make(samples_before, share)
        return self._ready.popleft()[1]

    def batch(self, step: StepBatch, rows: slice) -> Any:
        """The batch of some of this process's rows."""
        mine = Draw(step.mine.epochs[rows], step.mine.samples[rows], step.mine.share, step.mine.length)
        if step.ready is None:
            return self.run.objective.training_batch(self.run.train, mine)
        is_padded = bool((self.run.train.lengths[mine.samples] < mine.length).any())
        ready = step.ready
        return MaskedBatch(
            ready.inputs[rows], ready.lengths[rows], ready.positions[rows], ready.targets[rows], is_padded
        )

    def _make(self, samples_before: int, share: float) -> None:
        run, size = self.run, self.run.global_batch
        num_steps = self._num_steps
        if not run.samples.order.covers(samples_before + num_steps * size):
            num_steps = 1  # a stream: do not wait for what a later step needs
        epochs, samples = run.samples.take(samples_before, num_steps * size)
        length = sequence_length(run.config, share)
        draws = [
            Draw(e, s, share, length)
            for e, s in zip(torch.split(epochs, size), torch.split(samples, size), strict=True)
        ]
        mine = [self._mine(draw) for draw in draws]
        ready: list[MaskedBatch | None] = [None] * num_steps
        if num_steps > 1:
            epochs, samples = (torch.cat([getattr(own, name) for own in mine]) for name in ("epochs", "samples"))
            together = Draw(epochs, samples, share, length)
            batch = run.objective.training_batch(run.train, together)
            rows = len(mine[0].samples)
            ready = [_rows(batch, slice(first, first + rows)) for first in range(0, num_steps * rows, rows)]
        for number, (draw, own, batch) in enumerate(zip(draws, mine, ready, strict=True)):
            counts = run.objective.counts(run.train, draw)
            self._ready.append((samples_before + number * size, StepBatch(draw, counts, own, batch)))

    def _mine(self, draw: Draw) -> Draw:
        rows = slice(self.world.rank, None, self.world.size)
        return Draw(draw.epochs[rows], draw.samples[rows], draw.share, draw.length)


def _rows(batch: MaskedBatch, rows: slice) -> MaskedBatch:
    return MaskedBatch(
        batch.inputs[rows], batch.lengths[rows], batch.positions[rows], batch.targets[rows], batch.is_padded
    )
