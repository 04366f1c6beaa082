"""One update of the weights: its samples, micro-batches, loss, gradients, and the step of the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.batches_ahead import BatchesAhead, StepBatch
from engine.compiling import is_compiled
from engine.cuda_graphs import CudaCapture, GraphedPasses, GraphMismatch
from engine.data.hashing import scalar_seed
from engine.distributed import World
from engine.graphed_update import LARGEST, GraphedUpdate
from engine.memory import is_out_of_memory
from engine.optim import UpdateFigures
from engine.precision import autocast
from engine.preparation import Prepared
from engine.window import Stopwatch


class OutOfMemory(RuntimeError):
    """Not even one sequence at a time fits; the text says what to make smaller."""


@dataclass(frozen=True)
class Update:
    """An update that was made, or skipped for want of a finite gradient.

    loss: () float64, this process's share of the mean loss. tokens: of the global batch, padding with them.
    """

    loss: Tensor
    figures: UpdateFigures
    tokens: int


class Updater:
    """Makes updates. `micro_batch`, the sequences of one pass, halves when memory runs out; the update stays."""

    def __init__(
        self, prepared: Prepared, world: World, stopwatch: Stopwatch, warn: Callable[[str], None]
    ) -> None:
        """warn: takes a sentence about what had to be changed."""
        self.run = prepared
        self.world = world
        self.stopwatch = stopwatch
        self.warn = warn
        self.micro_batch = prepared.state.micro_batch or prepared.config.train.batch_size
        self._batches = BatchesAhead(prepared, world)
        self._pass: Callable[[Any, tuple[float, ...]], Tensor] = self._run_pass
        self._graphed_update: GraphedUpdate | None = None
        model, train, optimizer = prepared.model, prepared.config.train, prepared.optimizer
        if world.device.type == "cuda" and train.cuda_graphs:
            # computing a block again with the same dropout takes the random state, which no capture allows
            if not is_compiled(model) and not (train.activation_checkpointing and model.has_dropout):
                self._pass = GraphedPasses(self._run_pass, optimizer.flat.gradient, CudaCapture())
            if world.size == 1 and len(optimizer.flat.weight) <= LARGEST:
                self._graphed_update = GraphedUpdate(optimizer, CudaCapture())

    def make(
        self, step: int, samples_before: int, share: float, lr: float, *, wants_attention: bool, measure: bool
    ) -> Update | None:
        """Update number `step`, unless any process wants attention: then nothing changes, and None is returned.

        The loss is divided by what the whole global batch predicts, which every process can count by itself, so
        the gradient is exact for any accumulation and any number of processes. Memory that runs out is this
        process's own affair: how many passes it makes changes nothing for the others.
        """
        run = self.run
        if self.world.device.type == "cuda" and self.world.any(wants_attention):
            return None  # agreed on the hosts: nobody waits for a device
        self.stopwatch.begin()
        batch = self._batches.step(samples_before, share)
        loss = None
        while loss is None:
            loss = self._gradients(batch, step)
        # a loss that is not finite is wrong even where its gradient is: so the gradient is, on every process
        run.optimizer.flat.gradient[0] += 0 * loss
        if run.optimizer.reduce(self.world, wants_attention):
            run.optimizer.flat.gradient.zero_()
            return None
        return Update(loss, self._step(lr, measure=measure), run.global_batch * batch.mine.length)

    def _step(self, lr: float, *, measure: bool) -> UpdateFigures:
        """The optimizer's step, as a graph where that is possible."""
        optimizer = self.run.optimizer
        if self._graphed_update is None or measure:
            return optimizer.step(lr, measure=measure)
        optimizer.set_rate(lr)
        try:
            return self._graphed_update()
        except GraphMismatch as error:
            self.warn(f"the update is not a CUDA graph from here on: {error}")
            self._graphed_update = None
            return optimizer.update()

    def _gradients(self, batch: StepBatch, step: int) -> Tensor | None:
        """Sum up this process's gradients and loss; None when memory ran out, and fewer sequences fit."""
        run, device = self.run, self.world.device
        loss = torch.zeros((), dtype=torch.float64, device=device)
        if run.model.has_dropout:
            torch.manual_seed(scalar_seed(run.config.train.seed, 0xD209, step, self.world.rank))
        try:
            for first in range(0, len(batch.mine.samples), self.micro_batch):
                micro_batch = self._batches.batch(batch, slice(first, first + self.micro_batch))
                self.stopwatch.end_data()
                loss += self._pass(micro_batch, batch.counts)
                self.stopwatch.end_compute()
            return loss
        except GraphMismatch as error:
            self.warn(f"CUDA graphs are off from here on: {error}")
            self._pass = self._run_pass
            run.optimizer.flat.gradient.zero_()
            return None
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or not run.config.train.fit_batch:
                raise
            if self.micro_batch == 1:
                raise OutOfMemory(
                    "memory runs out with a single sequence: make data.sequence_length or the model smaller, or "
                    "set train.activation_checkpointing"
                ) from error
        run.optimizer.flat.gradient.zero_()
        self.shrink((self.micro_batch + 1) // 2)
        return None

    def shrink(self, micro_batch: int) -> None:
        """Memory ran out: make passes of so many sequences from here on."""
        run, self.micro_batch = self.run, micro_batch
        if isinstance(self._pass, GraphedPasses):
            self._pass.clear()  # those of larger shapes keep their memory
        if self.world.device.type == "cuda":
            torch.cuda.empty_cache()
        passes = -(-run.config.train.batch_size * run.config.train.accumulation_steps // micro_batch)
        self.warn(
            f"memory ran out: from here on {passes} passes of {micro_batch} sequences make an update, which "
            f"is that of {run.global_batch:,} sequences as before"
        )

    def _run_pass(self, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """Forward and backward of one micro-batch: adds to the gradient and returns its share of the loss, ()."""
        run = self.run
        with autocast(run.precision, self.world.device):
            loss = run.objective.loss(run.model, batch, counts)
        run.optimizer.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()
