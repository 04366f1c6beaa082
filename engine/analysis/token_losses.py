"""Which tokens of the validation split are easy and which are hard, by their mean losses."""

from __future__ import annotations

import torch

from engine.analysis.predictions import Predictions, label_names
from engine.analysis.subject import AnalysisError, Judged, Subject
from runs.analysis import Question, TokenLoss, TokenLosses

_DIGITS = 6


def analyse_token_losses(
    subject: Subject, question: Question, judged: Judged, predictions: Predictions
) -> TokenLosses:
    """The table. Raises AnalysisError when no token was predicted often enough."""
    is_label = subject.task == "label"
    names = label_names(subject) if is_label else ()
    size = len(names) if is_label else subject.model.vocab_size
    targets, ones = predictions.targets, torch.ones_like(predictions.losses)
    counts = torch.zeros(size, dtype=torch.float64).index_add_(0, targets, ones)
    losses = torch.zeros(size, dtype=torch.float64).index_add_(0, targets, predictions.losses)
    is_right = (predictions.guesses == targets).double()
    right = torch.zeros(size, dtype=torch.float64).index_add_(0, targets, is_right)
    counted = (counts >= question.min_count).nonzero().flatten()
    if not len(counted):
        raise AnalysisError(
            f"no token was predicted {question.min_count:,} times in {len(targets):,} predictions; ask for fewer"
        )
    means = losses[counted] / counts[counted]
    order = means.sort(stable=True).indices

    def row(place: int) -> TokenLoss:
        token = int(counted[place])
        count = float(counts[token])
        return TokenLoss(
            token=names[token] if is_label else subject.text(token),
            count=int(count),
            loss=round(float(means[place]), _DIGITS),
            accuracy=round(float(right[token]) / count, _DIGITS),
        )

    return TokenLosses(
        task=subject.task,
        num_sequences=len(judged.samples),
        num_predictions=len(targets),
        num_tokens=int((counts > 0).sum()),
        num_counted=len(counted),
        loss=float(predictions.losses.mean()),
        accuracy=float(is_right.mean()),
        best=tuple(row(place) for place in order[: question.most].tolist()),
        worst=tuple(row(place) for place in order.flip(0)[: question.most].tolist()),
    )
