"""Masked language modelling: its batches, its loss on the masked positions only, and its evaluation."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.baselines import frequency_baselines
from engine.data.batches import SequenceStore, to_device
from engine.data.hashing import sample_keys, scalar_seed
from engine.data.masking import IGNORED, MaskedBatch, apply_masks, mask_rate_at, num_masks
from engine.models.transformer import Transformer
from engine.objectives import Draw, Scores
from engine.objectives.token_prediction import token_score_sums, token_scores, vocabulary_loss
from presets.schema import EVALUATION_MASK_RATE, ObjectiveConfig
from runs.events import Baselines

_ROWS_AT_ONCE = 1024
_FROZEN_SEED = scalar_seed(0x5EED)
_ALL_HIDDEN = ObjectiveConfig(mask_token_share=1.0, random_token_share=0.0)


class MaskedLanguageModelling:
    """Hides tokens and asks for them, at the masked positions only.

    hides_every_target: evaluations put [MASK] for every target, as the exact floor of a grammar asks for: a target
    that stays or becomes another word is easier or harder than the grammar says. Otherwise they use 80/10/10.
    """

    def __init__(
        self,
        objective: ObjectiveConfig,
        token_counts: Tensor,
        seed: int,
        *,
        hides_every_target: bool = False,
        starts_word: Tensor | None = None,
        token_bytes: Tensor | None = None,
    ) -> None:
        """token_counts: (V,) of the training split, which the unigram baseline knows.

        starts_word: (V,) bool, needed where `objective.whole_words` is on. token_bytes: (V,), for bits per byte.
        Raises ValueError without what is needed.
        """
        if objective.whole_words and starts_word is None:
            raise ValueError("masks of whole words need to know which tokens begin a word")
        self.objective = objective
        self._starts_word = starts_word if objective.whole_words else None
        self._token_bytes = token_bytes
        self.token_counts = token_counts
        self.vocab_size = len(token_counts)
        self._frozen = _ALL_HIDDEN if hides_every_target else ObjectiveConfig()
        self._mask_seed = scalar_seed(seed, 0x3A5C)

    def counts(self, store: SequenceStore, draw: Draw) -> tuple[float, ...]:
        """How many tokens the global batch predicts."""
        lengths = store.lengths[draw.samples].clamp(max=draw.length)
        return (float(num_masks(lengths, mask_rate_at(self.objective, draw.share)).sum()),)

    def training_batch(self, store: SequenceStore, draw: Draw) -> MaskedBatch:
        """Dynamic masks: a sample's masks differ from epoch to epoch."""
        tokens, lengths, is_padded = store.rows(draw.samples, draw.length)
        keys = to_device(sample_keys(self._mask_seed, draw.epochs, draw.samples), tokens.device)
        rate = mask_rate_at(self.objective, draw.share)
        if self._starts_word is not None:
            self._starts_word = self._starts_word.to(tokens.device)
        return apply_masks(
            tokens, lengths, keys, self.vocab_size, self.objective, rate, is_padded, self._starts_word
        )

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> MaskedBatch:
        """Evaluation masks: the same for every evaluation, run and seed."""
        tokens, lengths, is_padded = store.rows(samples)
        keys = to_device(sample_keys(_FROZEN_SEED, torch.zeros_like(samples), samples), tokens.device)
        return apply_masks(tokens, lengths, keys, self.vocab_size, self._frozen, EVALUATION_MASK_RATE, is_padded)

    def loss(self, model: Transformer, batch: MaskedBatch, counts: tuple[float, ...]) -> Tensor:
        """Cross-entropy in nats, a masked token."""
        hidden = model.head_features(masked_hidden(model, batch))
        targets = batch.targets.flatten()
        return vocabulary_loss(model, hidden, targets, self.objective.label_smoothing) / counts[0]

    def score_sums(self, model: Transformer, batch: MaskedBatch) -> Tensor:
        """(7,): see `token_score_sums`."""
        hidden = masked_hidden(model, batch)
        return token_score_sums(model, hidden, batch.targets.flatten(), self._token_bytes)

    def scores(self, sums: Tensor) -> Scores:
        """Loss and accuracy over all masked tokens, accuracy over those whose word is known, bits per byte."""
        return token_scores(sums)

    def baselines(self, store: SequenceStore, samples: Tensor) -> Baselines:
        """Uniform and unigram, on the very targets that evaluations use."""
        parts = [self.frozen_batch(store, part).targets.flatten() for part in torch.split(samples, _ROWS_AT_ONCE)]
        targets = torch.cat(parts)
        return frequency_baselines(targets[targets != IGNORED], self.token_counts)


def masked_hidden(model: Transformer, batch: MaskedBatch) -> Tensor:
    """(B · M, H) final hidden states of the masked positions; the head sees nothing else."""
    hidden: Tensor = model(batch.inputs, batch.lengths if batch.is_padded else None)
    num_rows, length = batch.inputs.shape
    offsets = torch.arange(num_rows, device=hidden.device)[:, None] * length
    return hidden.view(num_rows * length, -1)[(batch.positions + offsets).flatten()]
