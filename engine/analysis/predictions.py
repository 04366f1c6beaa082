"""Every prediction of the frozen evaluation, one by one, where an objective gives only their sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.analysis.subject import AnalysisError, Judged, Subject
from engine.data.masking import IGNORED
from engine.models.transformer import Transformer
from engine.objectives.clm import predicting_hidden
from runs.analysis_process import Progress

_MOST_SCORES = 8_000_000  # that exist at once
_ROWS_AT_ONCE = 32


@dataclass(frozen=True)
class Predictions:
    """targets: (N,) ids of tokens or labels. losses: (N,) nats. guesses, confidences: (N,) of the likeliest."""

    targets: Tensor
    losses: Tensor
    guesses: Tensor
    confidences: Tensor


@torch.no_grad()
def read_predictions(subject: Subject, judged: Judged, say: Any) -> Predictions:
    """All predictions that an evaluation of this checkpoint makes; say: takes a Progress. Raises AnalysisError."""
    parts: list[Predictions] = []
    done, total = 0, len(judged.samples)
    for samples in torch.split(judged.samples, _ROWS_AT_ONCE):
        for scores, targets in _scores(subject, judged, samples):
            parts.append(predictions_of(scores, targets))
        done += len(samples)
        say(Progress("reading the validation split", done, total, "sequences"))
    return Predictions(
        torch.cat([part.targets for part in parts]),
        torch.cat([part.losses for part in parts]),
        torch.cat([part.guesses for part in parts]),
        torch.cat([part.confidences for part in parts]),
    )


def predictions_of(scores: Tensor, targets: Tensor) -> Predictions:
    """scores: (N, C). targets: (N,)."""
    log_shares = F.log_softmax(scores.float(), dim=-1)
    best = log_shares.max(dim=-1)
    losses = -log_shares.gather(1, targets[:, None])[:, 0]
    return Predictions(targets, losses.double(), best.indices, best.values.exp().double())


def _scores(subject: Subject, judged: Judged, samples: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of (N, C) scores and (N,) targets, as many at a time as memory allows."""
    model = subject.model
    batch = judged.objective.frozen_batch(judged.data.validation, samples)
    if subject.task == "label":
        targets = batch.labels if subject.config.objective.has_labels else batch.belongs
        is_target = targets != IGNORED
        yield model.classify(_hidden(model, batch))[is_target], targets[is_target]
        return
    hidden, targets = _features(subject, batch)
    is_target = targets != IGNORED
    hidden, targets = hidden[is_target], targets[is_target]
    size = max(1, _MOST_SCORES // model.vocab_size)
    for some, wanted in zip(torch.split(hidden, size), torch.split(targets, size), strict=True):
        yield model.logits(some), wanted


def _features(subject: Subject, batch: Any) -> tuple[Tensor, Tensor]:
    """(N, H) hidden states that predict, and (N,) targets, IGNORED where nothing is asked."""
    if subject.task == "masked":
        hidden = _hidden(subject.model, batch)
        rows = torch.arange(len(hidden))[:, None]
        return hidden[rows, batch.positions].flatten(0, 1), batch.targets.flatten()
    return predicting_hidden(subject.model, batch), batch.targets.flatten()


def _hidden(model: Transformer, batch: Any) -> Tensor:
    """(B, L, H) of texts, or of pairs of them, padding unseen."""
    lengths = batch.lengths if batch.is_padded else None
    return cast(Tensor, model(batch.inputs, lengths, getattr(batch, "segments", None)))


def label_names(subject: Subject) -> tuple[str, ...]:
    """What the classes are called. Raises AnalysisError for a model that has none."""
    if not subject.model.labels:
        raise AnalysisError("this model has no labels to tell apart")
    return subject.model.labels
