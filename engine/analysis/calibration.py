"""Whether a model is right as often as it is sure: the reliability diagram of its likeliest answers."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.analysis.predictions import Predictions
from engine.analysis.subject import Judged, Subject
from runs.analysis import Bin, Calibration, Question

_DIGITS = 6
_LEAST_SHARE = 0.01


def analyse_calibration(
    subject: Subject, question: Question, judged: Judged, predictions: Predictions
) -> Calibration:
    """Bins and their errors, over the frozen evaluation."""
    is_right = predictions.guesses == predictions.targets
    bins = reliability(predictions.confidences, is_right, question.bins)
    total = len(is_right)
    gaps = [(one.count / total, abs(one.accuracy - one.confidence)) for one in bins if one.count]
    return Calibration(
        task=subject.task,
        num_sequences=len(judged.samples),
        num_predictions=total,
        bins=bins,
        ece=round(sum(share * gap for share, gap in gaps), _DIGITS),
        largest_gap=round(max((gap for share, gap in gaps if share >= _LEAST_SHARE), default=0.0), _DIGITS),
        confidence=round(float(predictions.confidences.mean()), _DIGITS),
        accuracy=round(float(is_right.double().mean()), _DIGITS),
    )


def reliability(confidences: Tensor, is_right: Tensor, num_bins: int) -> tuple[Bin, ...]:
    """Bins of equal width over (0, 1] (Guo et al. 2017, section 2).

    confidences: (N,) float64. is_right: (N,) bool.
    """
    which = ((confidences * num_bins).ceil().long() - 1).clamp(0, num_bins - 1)
    counts = torch.zeros(num_bins, dtype=torch.float64).index_add_(0, which, torch.ones_like(confidences))
    sure = torch.zeros(num_bins, dtype=torch.float64).index_add_(0, which, confidences)
    right = torch.zeros(num_bins, dtype=torch.float64).index_add_(0, which, is_right.double())
    return tuple(
        Bin(
            low=round(index / num_bins, _DIGITS),
            high=round((index + 1) / num_bins, _DIGITS),
            count=int(count),
            confidence=round(float(sure[index]) / max(count, 1.0), _DIGITS),
            accuracy=round(float(right[index]) / max(count, 1.0), _DIGITS),
        )
        for index, count in enumerate(counts.tolist())
    )
