"""What a model is judged by while it trains: its scores on the frozen validation sequences, and its probes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.compiling import uncompiled
from engine.distributed import World
from engine.memory import is_out_of_memory
from engine.objectives import Scores
from engine.precision import autocast
from engine.preparation import Prepared
from engine.probes import ProbeError, probe
from presets.probe_text import read_probe
from runs.events import Evaluated, ProbeResult


@torch.no_grad()
def evaluate(run: Prepared, world: World, rows_at_once: int) -> tuple[Scores, int]:
    """Scores over `run.validation_rows`, the same on every process, and how many rows at once memory had room for.

    Averaged weights are judged where they are kept. rows_at_once: to begin with; halved when memory runs out.
    """
    mine = run.validation_rows[world.rank :: world.size]
    weight = 1.0 if len(mine) else 0.0  # fewer sequences than processes: this one only takes part in the sum
    run.model.eval()
    with run.optimizer.judged(), uncompiled(run.model):
        while (sums := _sums(run, world, mine if len(mine) else run.validation_rows[:1], rows_at_once)) is None:
            rows_at_once = (rows_at_once + 1) // 2
    run.model.train()
    return run.objective.scores(world.sum(weight * sums)), rows_at_once


def _sums(run: Prepared, world: World, rows: Tensor, rows_at_once: int) -> Tensor | None:
    """Sums of this process's rows; None when memory ran out and fewer rows at once may fit."""
    parts = []
    try:
        for samples in torch.split(rows, rows_at_once):
            world.mark.at("in evaluation")
            with autocast(run.precision, world.device):
                parts.append(
                    run.objective.score_sums(run.model, run.objective.frozen_batch(run.validation, samples))
                )
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or rows_at_once == 1 or not run.config.train.fit_batch:
            raise
        return None
    return torch.stack(parts).sum(0)


def evaluated(scores: Scores, is_best: bool, labels: tuple[str, ...]) -> Evaluated:
    """The event of an evaluation. labels: of the model; they go with a confusion matrix."""
    return Evaluated(
        loss=scores.loss,
        perplexity=scores.perplexity,
        accuracy=scores.figures.get("accuracy"),
        accuracy_known=scores.figures.get("accuracy_known"),
        is_best=is_best,
        figures=dict(scores.figures),
        confusion=scores.confusion,
        labels=labels if scores.confusion else (),
    )


def probe_sentences(run: Prepared, texts: Sequence[str]) -> tuple[tuple[ProbeResult, ...], list[str]]:
    """What the judged weights make of each probe as it is written, and why some could not be probed."""
    results: list[ProbeResult] = []
    complaints: list[str] = []
    with run.optimizer.judged():
        for written in map(read_probe, texts):
            try:
                results.append(probe(run.model, run.cache.tokenizer, written.text, run.config, written.expected))
            except ProbeError as error:
                complaints.append(str(error))
    return tuple(results), complaints
