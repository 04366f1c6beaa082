"""Sentence pairs beside masked tokens: does the second text follow (NSP), are the two in order (SOP)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.baselines import frequency_baselines
from engine.data.batches import SequenceStore, to_device
from engine.data.documents import DataError
from engine.data.hashing import sample_keys, scalar_seed
from engine.data.masking import IGNORED, MaskedBatch, apply_masks, mask_rate_at, num_masks
from engine.data.pairs import PairKind, TextPairs, make_pairs, pair_lengths, sentence_ends, with_separator
from engine.data.token_bytes import token_bytes
from engine.data.word_starts import word_starts
from engine.models.transformer import Transformer
from engine.objectives import Draw, Scores
from engine.objectives.token_prediction import token_score_sums, token_scores, vocabulary_loss
from engine.training_data import TrainingData
from presets.schema import EVALUATION_MASK_RATE, ObjectiveConfig, RunConfig
from runs.events import Baselines

_ROWS_AT_ONCE = 1024
_FROZEN_SEED = scalar_seed(0x5EED)
_NUM_TOKEN_SUMS = 7


@dataclass(frozen=True)
class PairBatch:
    """inputs, segments: (B, L). lengths: (B,) with specials. positions, targets: (B, M), M is 0 without masks.

    belongs: (B,) 1 for texts that belong together or are in order, 0 for others, IGNORED where there is no pair.
    """

    inputs: Tensor
    lengths: Tensor
    segments: Tensor
    positions: Tensor
    targets: Tensor
    belongs: Tensor
    is_padded: bool


@dataclass(frozen=True)
class _Counted:
    """The pairs of a global batch that were made to be counted, on the host."""

    store: SequenceStore
    draw: Draw
    pairs: TextPairs

    def is_of(self, store: SequenceStore, draw: Draw) -> bool:
        """Whether a batch of this draw, from this store's device, has the same pairs."""
        mine = self.draw
        return (
            store is self.store
            and store.on_cpu() is store
            and draw.length == mine.length
            and torch.equal(draw.samples, mine.samples)
            and torch.equal(draw.epochs, mine.epochs)
        )


def build_sentence_pairs(config: RunConfig, data: TrainingData, token_counts: Tensor) -> SentencePairs:
    """The objective over these data. Raises DataError when NSP has no second document to draw from."""
    tokenizer, kind = data.cache.tokenizer, config.objective.kind
    assert kind in ("nsp", "sop")
    if kind == "nsp":
        for name, store in (("training", data.train), ("validation", data.validation)):
            if not bool((store.document_bounds[0] != store.document_bounds[-1]).any()):
                raise DataError(
                    f"the {name} split has one document only, and nsp takes second texts from other documents; "
                    "read more of the dataset, or choose sop"
                )
    return SentencePairs(
        "nsp" if kind == "nsp" else "sop",
        config.objective,
        token_counts,
        sentence_ends(tokenizer),
        config.train.seed,
        starts_word=word_starts(tokenizer) if config.objective.whole_words else None,
        token_bytes=token_bytes(tokenizer),
    )


class SentencePairs:
    """A label for each pair (Devlin et al. 2019, 3.1; Lan et al. 2020, 3.1), and masks of weight `mlm_weight`.

    The loss is mlm_weight · (nats a masked token) + (nats a pair), each over the whole global batch.
    """

    def __init__(
        self,
        kind: PairKind,
        objective: ObjectiveConfig,
        token_counts: Tensor,
        ends: Tensor,
        seed: int,
        *,
        starts_word: Tensor | None = None,
        token_bytes: Tensor | None = None,
    ) -> None:
        """token_counts: (V,) of the training split. ends: (V,) from `sentence_ends`. The others as for masks."""
        self.kind = kind
        self.objective = objective
        self.token_counts = token_counts
        self.vocab_size = len(token_counts)
        self._ends = {torch.device("cpu"): ends.cpu()}
        self._starts_word = starts_word
        self._token_bytes = token_bytes
        self._frozen = ObjectiveConfig()
        self._mask_seed = scalar_seed(seed, 0x3A5C)
        self._pair_seed = scalar_seed(seed, 0x9A12)
        self._counted: _Counted | None = None

    def counts(self, store: SequenceStore, draw: Draw) -> tuple[float, ...]:
        """How many tokens the global batch masks, and how many pairs it has."""
        lengths = store.lengths[draw.samples]
        num_pairs = max(1, int((pair_lengths(lengths, draw.length) >= 4).sum()))
        if not self.objective.has_masks:
            return (1.0, float(num_pairs))
        if self.kind == "sop":
            lengths = pair_lengths(lengths, draw.length)
        else:  # how long another document's half is, only its tokens tell; they are on the host too
            pairs = self._pairs(store.on_cpu(), draw.epochs, draw.samples, self._pair_seed, draw.length)
            self._counted = _Counted(store, draw, pairs)
            lengths = pairs.lengths
        rate = mask_rate_at(self.objective, draw.share)
        return (float(num_masks(lengths, rate).sum()), float(num_pairs))

    def training_batch(self, store: SequenceStore, draw: Draw) -> PairBatch:
        """Pairs and masks that differ from epoch to epoch."""
        if self._counted is not None and self._counted.is_of(store, draw):
            pairs = self._counted.pairs  # one process, one pass an update, on the host: they are made already
        else:
            pairs = self._pairs(store, draw.epochs, draw.samples, self._pair_seed, draw.length)
        rate = mask_rate_at(self.objective, draw.share)
        keys = sample_keys(self._mask_seed, draw.epochs, draw.samples)
        return self._batch(store, draw.samples, pairs, keys, self.objective, rate, self._starts_word)

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> PairBatch:
        """Pairs and masks that are the same for every evaluation, run and seed."""
        epochs = torch.zeros_like(samples)
        pairs = self._pairs(store, epochs, samples, _FROZEN_SEED, store.length)
        keys = sample_keys(_FROZEN_SEED, epochs, samples)
        return self._batch(store, samples, pairs, keys, self._frozen, EVALUATION_MASK_RATE, None)

    def loss(self, model: Transformer, batch: PairBatch, counts: tuple[float, ...]) -> Tensor:
        """mlm_weight · nats a masked token + nats a pair."""
        smoothing = self.objective.label_smoothing
        hidden = _hidden(model, batch)
        scores = model.classify(hidden).float()
        loss = F.cross_entropy(
            scores, batch.belongs, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing
        )
        loss = loss / counts[1]
        if self.objective.has_masks:
            features = model.head_features(_at_masks(hidden, batch))
            tokens = vocabulary_loss(model, features, batch.targets.flatten(), smoothing)
            loss = loss + self.objective.mlm_weight * tokens / counts[0]
        return loss

    def score_sums(self, model: Transformer, batch: PairBatch) -> Tensor:
        """(10,): those of `token_score_sums`, then loss sum, right ones and number of pairs."""
        hidden = _hidden(model, batch)
        scores = model.classify(hidden).float()
        is_pair = batch.belongs != IGNORED
        loss = F.cross_entropy(scores, batch.belongs, ignore_index=IGNORED, reduction="none")
        right = (scores.argmax(-1) == batch.belongs) & is_pair
        pairs = torch.stack([part.double().sum() for part in (loss, right, is_pair)])
        if not self.objective.has_masks:
            return torch.cat([pairs.new_zeros(_NUM_TOKEN_SUMS), pairs])
        masked = _at_masks(hidden, batch)
        tokens = token_score_sums(model, masked, batch.targets.flatten(), self._token_bytes)
        return torch.cat([tokens, pairs])

    def scores(self, sums: Tensor) -> Scores:
        """The loss as in training; pair_loss and pair_accuracy beside what masked models report."""
        loss, right, num_pairs = sums[_NUM_TOKEN_SUMS:].tolist()
        pair_loss = loss / max(num_pairs, 1)
        figures = {"pair_loss": pair_loss, "pair_accuracy": right / max(num_pairs, 1)}
        if not self.objective.has_masks:
            return Scores(pair_loss, figures)
        tokens = token_scores(sums[:_NUM_TOKEN_SUMS])
        return Scores(self.objective.mlm_weight * tokens.loss + pair_loss, {**tokens.figures, **figures})

    def baselines(self, store: SequenceStore, samples: Tensor) -> Baselines:
        """Guessing, which is ln 2 for a pair, and word frequency for the masked tokens beside it."""
        batches = [self.frozen_batch(store, part) for part in torch.split(samples, _ROWS_AT_ONCE)]
        if not self.objective.has_masks:
            belongs = torch.cat([batch.belongs for batch in batches])
            share = float(belongs[belongs != IGNORED].double().mean())
            return Baselines(
                uniform_loss=math.log(2), unigram_loss=math.log(2), unigram_accuracy=max(share, 1 - share)
            )
        targets = torch.cat([batch.targets.flatten() for batch in batches])
        tokens = frequency_baselines(targets[targets != IGNORED], self.token_counts)
        weight = self.objective.mlm_weight
        return Baselines(
            uniform_loss=weight * tokens.uniform_loss + math.log(2),
            unigram_loss=weight * tokens.unigram_loss + math.log(2),
            unigram_accuracy=tokens.unigram_accuracy,
        )

    def _pairs(self, store: SequenceStore, epochs: Tensor, samples: Tensor, seed: int, length: int) -> TextPairs:
        if store.device not in self._ends:
            self._ends[store.device] = self._ends[torch.device("cpu")].to(store.device)
        keys = sample_keys(seed, epochs, samples)
        return make_pairs(self.kind, store, samples, keys, self._ends[store.device], length)

    def _batch(
        self,
        store: SequenceStore,
        samples: Tensor,
        pairs: TextPairs,
        keys: Tensor,
        objective: ObjectiveConfig,
        rate: float,
        starts_word: Tensor | None,
    ) -> PairBatch:
        """Masks on the pairs. objective: of what becomes of a masked token."""
        device, length = pairs.tokens.device, pairs.tokens.shape[1]
        if self.objective.has_masks:
            if starts_word is not None:
                starts_word = self._starts_word = starts_word.to(device)
            keys = to_device(keys, device)
            masked = apply_masks(
                pairs.tokens, pairs.lengths, keys, self.vocab_size, objective, rate, True, starts_word
            )
        else:
            none = pairs.first.new_empty(len(pairs.first), 0)
            masked = MaskedBatch(pairs.tokens, pairs.lengths, none, none, True)
        paired = with_separator(masked, pairs.first)
        # of nsp only the device knows it, and nobody waits for that
        is_padded = self.kind == "nsp" or bool((pair_lengths(store.lengths[samples], length) + 1 < length).any())
        return PairBatch(
            inputs=paired.inputs,
            lengths=paired.lengths,
            segments=paired.segments,
            positions=paired.positions,
            targets=paired.targets,
            belongs=pairs.belongs.long().masked_fill(~pairs.is_pair, IGNORED),
            is_padded=is_padded,
        )


def _hidden(model: Transformer, batch: PairBatch) -> Tensor:
    hidden: Tensor = model(batch.inputs, batch.lengths if batch.is_padded else None, batch.segments)
    return hidden


def _at_masks(hidden: Tensor, batch: PairBatch) -> Tensor:
    """(B · M, H) hidden states of the masked positions."""
    num_rows, length = batch.inputs.shape
    offsets = torch.arange(num_rows, device=hidden.device)[:, None] * length
    return hidden.view(num_rows * length, -1)[(batch.positions + offsets).flatten()]
