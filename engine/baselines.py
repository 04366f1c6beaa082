"""What a model must beat: uniform guessing, and knowing only how frequent each token is."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.data.batches import SequenceStore
from engine.data.masking import IGNORED
from engine.objectives.mlm import MaskedLanguageModelling
from runs.events import Baselines


def frozen_targets(objective: MaskedLanguageModelling, store: SequenceStore, rows: Tensor) -> Tensor:
    """(N,) ids that every evaluation asks for. rows: (R,) the validation sequences that are scored."""
    targets = torch.cat(
        [objective.frozen_batch(store, part).targets.flatten() for part in torch.split(rows, 1024)]
    )
    return targets[targets != IGNORED]


def measure_baselines(targets: Tensor, token_counts: Tensor) -> Baselines:
    """Score both baselines on the very targets that evaluations use, in nats a token.

    targets: (N,) ids. token_counts: (V,) of the training split; each count grows by one, so that a word
    unseen in training costs much, not infinitely much (Laplace).
    """
    smoothed = token_counts.double().clone()
    smoothed[5:] += 1.0
    log_shares = (smoothed / smoothed.sum()).clamp(min=1e-30).log()
    losses = -log_shares[targets.cpu()]
    return Baselines(
        uniform_loss=math.log(len(token_counts)),
        unigram_loss=float(losses.mean()),
        unigram_accuracy=float((targets.cpu() == smoothed.argmax()).double().mean()),
    )
