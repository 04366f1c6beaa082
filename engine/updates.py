"""One update of the weights: its samples, micro-batches, loss, gradients, and the step of the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.compiling import is_compiled
from engine.cuda_graphs import GraphedPasses, GraphMismatch, capture_cuda
from engine.curriculum import sequence_length
from engine.data.hashing import scalar_seed
from engine.distributed import World
from engine.objectives import Draw
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
        self._pass: Callable[[Any, tuple[float, ...]], Tensor] = self._run_pass
        if world.device.type == "cuda" and prepared.config.train.cuda_graphs and not is_compiled(prepared.model):
            self._pass = GraphedPasses(self._run_pass, prepared.optimizer.flat.gradient, capture_cuda)

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
        epochs, samples = run.samples.take(samples_before, run.global_batch)
        draw = Draw(epochs, samples, share, sequence_length(run.config, share))
        counts = run.objective.counts(run.train, draw)
        loss = None
        while loss is None:
            loss = self._gradients(draw, counts, step)
        if run.optimizer.reduce(self.world, wants_attention):
            run.optimizer.flat.gradient.zero_()
            return None
        return Update(loss, run.optimizer.step(lr, measure=measure), run.global_batch * draw.length)

    def _gradients(self, draw: Draw, counts: tuple[float, ...], step: int) -> Tensor | None:
        """Sum up this process's gradients and loss; None when memory ran out, and fewer sequences fit."""
        run, device = self.run, self.world.device
        loss = torch.zeros((), dtype=torch.float64, device=device)
        if run.model.has_dropout:
            torch.manual_seed(scalar_seed(run.config.train.seed, 0xD209, step, self.world.rank))
        mine = slice(self.world.rank, None, self.world.size)
        shares = zip(
            torch.split(draw.epochs[mine], self.micro_batch),
            torch.split(draw.samples[mine], self.micro_batch),
            strict=True,
        )
        try:
            for epochs, samples in shares:
                batch = run.objective.training_batch(run.train, Draw(epochs, samples, draw.share, draw.length))
                self.stopwatch.end_data()
                loss += self._pass(batch, counts)
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
        self.micro_batch = (self.micro_batch + 1) // 2
        if device.type == "cuda":
            torch.cuda.empty_cache()
        passes = -(-run.config.train.batch_size * run.config.train.accumulation_steps // self.micro_batch)
        self.warn(
            f"memory ran out: from here on {passes} passes of {self.micro_batch} sequences make an update, which "
            f"is that of {run.global_batch:,} sequences as before"
        )
        return None

    def _run_pass(self, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """Forward and backward of one micro-batch: adds to the gradient and returns its share of the loss, ()."""
        run = self.run
        with autocast(run.precision, self.world.device):
            loss = run.objective.loss(run.model, batch, counts)
        run.optimizer.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss.detach()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left; the CPU's allocator has no exception of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
