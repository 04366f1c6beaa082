"""What a model must beat: guessing, and word frequency. What it cannot beat: the grammar that made the text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.data.batches import SequenceStore
from engine.data.masking import MaskedBatch
from engine.data.synthetic import exact_losses
from engine.data.tokenizers import UNK
from engine.objectives import Objective
from presets.schema import NUM_SPECIAL_TOKENS, DataConfig
from runs.events import Baselines

_ROWS_AT_ONCE = 1024


def measure_floor(data: DataConfig, objective: Objective, store: SequenceStore, rows: Tensor) -> float | None:
    """What knowing the grammar exactly scores on the very masks that evaluations use.

    None for real text, and for objectives without masks. rows: (R,) the validation sequences that are scored. Nats
    a token. Raises ValueError for sequences that are not whole sentences of the grammar.
    """
    if data.source != "synthetic":
        return None
    losses: list[Tensor] = []
    for part in torch.split(rows, _ROWS_AT_ONCE):
        batch = objective.frozen_batch(store, part)
        if not isinstance(batch, MaskedBatch):
            return None
        losses.append(exact_losses(data, batch.inputs, batch.positions, batch.targets))
    return float(torch.cat(losses).mean())


def frequency_baselines(targets: Tensor, token_counts: Tensor) -> Baselines:
    """Score guessing and word frequency on the very targets that evaluations use, in nats a token.

    targets: (N,) ids. token_counts: (V,) of the training split; each count grows by one, so that a word
    unseen in training costs much, not infinitely much (Laplace).
    """
    smoothed = token_counts.double().clone()
    smoothed[UNK] += 1.0
    smoothed[NUM_SPECIAL_TOKENS:] += 1.0
    log_shares = (smoothed / smoothed.sum()).clamp(min=1e-30).log()
    losses = -log_shares[targets.cpu()]
    return Baselines(
        uniform_loss=math.log(len(token_counts)),
        unigram_loss=float(losses.mean()),
        unigram_accuracy=float((targets.cpu() == smoothed.argmax()).double().mean()),
    )
