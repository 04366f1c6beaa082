"""What a model must beat: guessing, and word frequency. What it cannot beat: the grammar that made the text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.data.batches import SequenceStore
from engine.data.masking import IGNORED
from engine.data.synthetic import exact_losses
from engine.data.tokenizers import UNK
from engine.objectives.mlm import MaskedLanguageModelling
from presets.schema import NUM_SPECIAL_TOKENS, DataConfig
from runs.events import Baselines

_ROWS_AT_ONCE = 1024


def frozen_targets(objective: MaskedLanguageModelling, store: SequenceStore, rows: Tensor) -> Tensor:
    """(N,) ids that every evaluation asks for. rows: (R,) the validation sequences that are scored."""
    targets = torch.cat(
        [objective.frozen_batch(store, part).targets.flatten() for part in torch.split(rows, _ROWS_AT_ONCE)]
    )
    return targets[targets != IGNORED]


def measure_floor(
    data: DataConfig, objective: MaskedLanguageModelling, store: SequenceStore, rows: Tensor
) -> float | None:
    """What knowing the grammar exactly scores on the very masks that evaluations use; None for real text.

    rows: (R,) the validation sequences that are scored. Nats a token. Raises ValueError for sequences that are not
    whole sentences of the grammar.
    """
    if data.source != "synthetic":
        return None
    batches = (objective.frozen_batch(store, part) for part in torch.split(rows, _ROWS_AT_ONCE))
    losses = [exact_losses(data, batch.inputs, batch.positions, batch.targets) for batch in batches]
    return float(torch.cat(losses).mean())


def measure_baselines(targets: Tensor, token_counts: Tensor, floor_loss: float | None = None) -> Baselines:
    """Score both baselines on the very targets that evaluations use, in nats a token.

    targets: (N,) ids. token_counts: (V,) of the training split; each count grows by one, so that a word
    unseen in training costs much, not infinitely much (Laplace). floor_loss: from `measure_floor`.
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
        floor_loss=floor_loss,
    )
