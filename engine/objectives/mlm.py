"""Masked language modelling: its batches, its loss on the masked positions only, and its evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.batches import SequenceStore
from engine.data.hashing import sample_keys, scalar_seed
from engine.data.masking import IGNORED, MaskedBatch, apply_masks, num_masks
from engine.data.tokenizers import UNK
from engine.models.transformer import Transformer
from presets.schema import ObjectiveConfig

EVALUATION_MASK_RATE = 0.15  # whatever the training rate, so that runs compare
_CHUNKED_UP_TO_HIDDEN = 64  # beyond it one large matrix product is faster (docs/log.md)
_CHUNK = 64  # predictions whose logits exist at once
_FROZEN_SEED = scalar_seed(0x5EED)
_ALL_HIDDEN = ObjectiveConfig(mask_token_share=1.0, random_token_share=0.0)


@dataclass(frozen=True)
class Scores:
    """Of an evaluation. loss: mean nats a predicted token. accuracy_known: over targets that are not [UNK]."""

    loss: float
    accuracy: float
    accuracy_known: float

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that overflows."""
        return math.exp(self.loss) if self.loss < 700 else math.inf


class MaskedLanguageModelling:
    """Batches and loss. All randomness comes from the sample's key, so any process can make any batch.

    hides_every_target: evaluations put [MASK] for every target, as the exact floor of a grammar asks for: a target
    that stays or becomes another word is easier or harder than the grammar says. Otherwise they use 80/10/10.
    """

    def __init__(
        self, objective: ObjectiveConfig, vocab_size: int, seed: int, *, hides_every_target: bool = False
    ) -> None:
        self.objective = objective
        self._frozen = _ALL_HIDDEN if hides_every_target else ObjectiveConfig()
        self.vocab_size = vocab_size
        self._mask_seed = scalar_seed(seed, 0x3A5C)

    def num_predictions(self, lengths: Tensor) -> int:
        """How many tokens a batch of these lengths predicts; known before it is made."""
        return int(num_masks(lengths, self.objective.mask_rate).sum())

    def training_batch(self, store: SequenceStore, epochs: Tensor, samples: Tensor) -> MaskedBatch:
        """Dynamic masks: a sample's masks differ from epoch to epoch. epochs, samples: (B,)."""
        tokens, lengths = store.rows(samples)
        keys = sample_keys(self._mask_seed, epochs, samples)
        return apply_masks(tokens, lengths, keys, self.vocab_size, self.objective, self.objective.mask_rate)

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> MaskedBatch:
        """Evaluation masks: the same for every evaluation, run and seed. samples: (B,)."""
        tokens, lengths = store.rows(samples)
        keys = sample_keys(_FROZEN_SEED, torch.zeros_like(samples), samples)
        return apply_masks(tokens, lengths, keys, self.vocab_size, self._frozen, EVALUATION_MASK_RATE)

    def loss_sum(self, model: Transformer, batch: MaskedBatch) -> Tensor:
        """Sum (not mean) of the cross-entropy in nats over the batch's predictions."""
        hidden = self._masked_hidden(model, batch)
        targets = batch.targets.flatten()
        weight, bias = model.token_embedding.weight, model.head_bias
        is_small = model.config.hidden_size <= _CHUNKED_UP_TO_HIDDEN
        if is_small and hidden.device.type == "cpu" and hidden.dtype == torch.float32:
            # the logits never exist all at once; at these sizes memory traffic is what limits
            return F.linear_cross_entropy(
                hidden,
                weight,
                targets,
                linear_bias=bias,
                reduction="sum",
                ignore_index=IGNORED,
                options=torch.nn.LinearCrossEntropyOptions(batch_chunk_size=_CHUNK),
            )
        logits = model.logits(hidden).float()
        return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")

    def score_sums(self, model: Transformer, batch: MaskedBatch) -> Tensor:
        """(5,) float64: loss sum, right, predicted, right among known, known among predicted."""
        logits = model.logits(self._masked_hidden(model, batch)).float()
        targets = batch.targets.flatten()
        is_target = targets != IGNORED
        is_known = is_target & (targets != UNK)
        is_right = logits.argmax(-1) == targets
        losses = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
        sums = (losses, is_right & is_target, is_target, is_right & is_known, is_known)
        return torch.stack([part.double().sum() for part in sums])

    def _masked_hidden(self, model: Transformer, batch: MaskedBatch) -> Tensor:
        """(B · M, H) hidden states of the masked positions; the head sees nothing else."""
        hidden: Tensor = model(batch.inputs, batch.lengths if batch.is_padded else None)
        num_rows, length = batch.inputs.shape
        offsets = torch.arange(num_rows, device=hidden.device)[:, None] * length
        return hidden.view(num_rows * length, -1)[(batch.positions + offsets).flatten()]


def scores_from(sums: Tensor) -> Scores:
    """Scores from the sum of `score_sums` over batches (and processes)."""
    loss, right, predicted, right_known, known = sums.tolist()
    return Scores(loss / max(predicted, 1), right / max(predicted, 1), right_known / max(known, 1))
