"""Scoring the frozen validation sequences, shared out over the processes."""

from __future__ import annotations

import torch

from engine.compiling import uncompiled
from engine.distributed import World
from engine.objectives import Scores
from engine.precision import autocast
from engine.preparation import Prepared


@torch.no_grad()
def evaluate(run: Prepared, world: World) -> Scores:
    """Scores over `run.validation_rows`, the same on every process; averaged weights are judged if kept."""
    sums: torch.Tensor | None = None
    run.model.eval()
    mine = run.validation_rows[world.rank :: world.size]
    weight = 1.0 if len(mine) else 0.0  # fewer sequences than processes: this one only takes part in the sum
    with run.optimizer.judged(), uncompiled(run.model):
        for samples in torch.split(mine if len(mine) else run.validation_rows[:1], run.config.train.batch_size):
            with autocast(run.precision, world.device):
                part = run.objective.score_sums(run.model, run.objective.frozen_batch(run.validation, samples))
            sums = weight * part if sums is None else sums + part
    run.model.train()
    assert sums is not None
    return run.objective.scores(world.sum(sums))
