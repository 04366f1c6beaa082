"""Causal language modelling: every token predicts the next one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.baselines import frequency_baselines
from engine.data.batches import SequenceStore
from engine.data.masking import IGNORED
from engine.data.tokenizers import SEP
from engine.models.transformer import Transformer
from engine.objectives import Draw, Scores
from engine.objectives.token_prediction import token_score_sums, token_scores, vocabulary_loss
from presets.schema import ObjectiveConfig
from runs.events import Baselines

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class CausalBatch:
    """inputs: (B, L) ids `[CLS] … [SEP] [PAD] …`. targets: (B, L - 1) the next of each, IGNORED for padding."""

    inputs: Tensor
    targets: Tensor


class CausalLanguageModelling:
    """From [CLS] on, each token of a sequence is asked for its successor, up to [SEP]; padding for nothing.

    A sequence never sees another, so an evaluation is the same in any batch. The inputs of training and evaluation
    are the same: there is nothing to draw, and nothing to freeze.
    """

    def __init__(
        self,
        objective: ObjectiveConfig,
        token_counts: Tensor,
        num_sequences: int,
        token_bytes: Tensor | None = None,
    ) -> None:
        """token_counts: (V,) of the training split's text, which the unigram baseline knows.

        num_sequences: of the training split; each ends with a [SEP]. token_bytes: (V,), for bits per byte.
        """
        self.objective = objective
        self.token_counts = token_counts.clone()
        self.token_counts[SEP] += num_sequences
        self._token_bytes = token_bytes

    def counts(self, store: SequenceStore, draw: Draw) -> tuple[float, ...]:
        """How many tokens the global batch predicts: all but each sequence's first."""
        lengths = store.lengths[draw.samples].clamp(max=draw.length)
        return (float((lengths - 1).sum()),)

    def training_batch(self, store: SequenceStore, draw: Draw) -> CausalBatch:
        """The sequences themselves, cut to the draw's length."""
        return _batch(*store.rows(draw.samples, draw.length)[:2])

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> CausalBatch:
        """The sequences themselves."""
        return _batch(*store.rows(samples)[:2])

    def loss(self, model: Transformer, batch: CausalBatch, counts: tuple[float, ...]) -> Tensor:
        """Cross-entropy in nats, a token."""
        features = model.head_features(predicting_hidden(model, batch))
        return (
            vocabulary_loss(model, features, batch.targets.flatten(), self.objective.label_smoothing) / counts[0]
        )

    def score_sums(self, model: Transformer, batch: CausalBatch) -> Tensor:
        """(7,): see `token_score_sums`."""
        hidden = predicting_hidden(model, batch)
        return token_score_sums(model, hidden.flatten(0, -2), batch.targets.flatten(), self._token_bytes)

    def scores(self, sums: Tensor) -> Scores:
        """Loss and accuracy over all next tokens, accuracy over those whose word is known, bits per byte."""
        return token_scores(sums)

    def baselines(self, store: SequenceStore, samples: Tensor) -> Baselines:
        """Uniform and unigram over all next tokens, the [SEP] of each sequence among them."""
        parts = [self.frozen_batch(store, part).targets.flatten() for part in torch.split(samples, _ROWS_AT_ONCE)]
        targets = torch.cat(parts)
        return frequency_baselines(targets[targets != IGNORED], self.token_counts)


def _batch(tokens: Tensor, lengths: Tensor) -> CausalBatch:
    places = torch.arange(1, tokens.shape[1], device=tokens.device)
    return CausalBatch(tokens, tokens[:, 1:].masked_fill(places >= lengths[:, None], IGNORED))


def predicting_hidden(model: Transformer, batch: CausalBatch) -> Tensor:
    """(B · (L - 1), H) final hidden states of all positions but the last, which has no successor.

    Padding comes last, where no real token looks, so that attention needs no mask.
    """
    hidden: Tensor = model(batch.inputs, None)
    return hidden[:, :-1].flatten(0, 1)
