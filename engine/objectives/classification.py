"""Sequence classification: a label for each text, from the hidden state of [CLS] (Devlin et al. 2019, 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from engine.data.batches import SequenceStore, to_device
from engine.data.documents import DataError
from engine.data.tokenizers import CLS, SEP, UNK, encode_rows
from engine.expected_words import label_word
from engine.models.transformer import Transformer
from engine.objectives import Draw, Scores
from engine.training_data import TrainingData
from presets.schema import ObjectiveConfig, RunConfig
from runs.confusion import macro_f1
from runs.events import Baselines, Candidate, ProbeResult


@dataclass(frozen=True)
class LabelledBatch:
    """inputs: (B, L) ids. lengths: (B,) with specials. labels: (B,). is_padded: some row is shorter than L."""

    inputs: Tensor
    lengths: Tensor
    labels: Tensor
    is_padded: bool


def build_classification(config: RunConfig, data: TrainingData) -> Classification:
    """The objective over these data. Raises DataError when the training split has one class only."""
    labels = data.train.labels
    assert labels is not None, "the token cache was built without labels"
    counts = torch.bincount(labels, minlength=len(data.cache.labels))
    if int((counts > 0).sum()) < 2:
        only = data.cache.labels[int(counts.argmax())]
        raise DataError(
            f"all {len(labels):,} texts of the training split have the label {only!r}; read more of the dataset"
        )
    return Classification(config.objective, counts)


class Classification:
    """Cross-entropy of the labels; accuracy, macro F1 and the confusion matrix beside it."""

    def __init__(self, objective: ObjectiveConfig, label_counts: Tensor) -> None:
        """label_counts: (C,) of the training split, which the frequency baseline knows."""
        self.objective = objective
        self.label_counts = label_counts
        self.num_labels = len(label_counts)

    def counts(self, store: SequenceStore, draw: Draw) -> tuple[float, ...]:
        """How many texts the global batch has."""
        return (float(len(draw.samples)),)

    def training_batch(self, store: SequenceStore, draw: Draw) -> LabelledBatch:
        """The texts as they are; nothing is drawn."""
        return _batch(store, draw.samples, draw.length)

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> LabelledBatch:
        """The same, at full length."""
        return _batch(store, samples, store.length)

    def loss(self, model: Transformer, batch: LabelledBatch, counts: tuple[float, ...]) -> Tensor:
        """Cross-entropy in nats a text, with `label_smoothing` (Szegedy et al. 2016, 7)."""
        smoothing = self.objective.label_smoothing
        scores = _label_scores(model, batch)
        return F.cross_entropy(scores, batch.labels, reduction="sum", label_smoothing=smoothing) / counts[0]

    def score_sums(self, model: Transformer, batch: LabelledBatch) -> Tensor:
        """(1 + C²,): loss sum without smoothing, and how often each label (row) was taken for each (column)."""
        scores = _label_scores(model, batch)
        loss = F.cross_entropy(scores, batch.labels, reduction="sum")
        cells = batch.labels * self.num_labels + scores.argmax(-1)
        confusion = torch.bincount(cells, minlength=self.num_labels**2)
        return torch.cat([loss.double()[None], confusion.double()])

    def scores(self, sums: Tensor) -> Scores:
        """Loss a text, accuracy, macro F1, and the confusion matrix."""
        cells = sums[1:].round().long().reshape(self.num_labels, self.num_labels).tolist()
        confusion = tuple(tuple(row) for row in cells)
        num_texts = max(1, sum(map(sum, confusion)))
        right = sum(confusion[label][label] for label in range(self.num_labels))
        figures = {"accuracy": right / num_texts, "f1": macro_f1(confusion)}
        return Scores(float(sums[0]) / num_texts, figures, confusion)

    def baselines(self, store: SequenceStore, samples: Tensor) -> Baselines:
        """Guessing evenly; knowing how frequent each label is in training; always saying the most frequent one.

        Each count grows by one, so that a label unseen in training costs much, not infinitely much (Laplace).
        """
        assert store.labels is not None
        labels = store.labels[samples]
        smoothed = self.label_counts.double() + 1
        losses = -(smoothed / smoothed.sum()).log()[labels]
        return Baselines(
            uniform_loss=math.log(self.num_labels),
            unigram_loss=float(losses.mean()),
            unigram_accuracy=float((labels == self.label_counts.argmax()).double().mean()),
        )


@torch.no_grad()
def classify_text(
    model: Transformer,
    tokenizer: Tokenizer,
    text: str,
    length: int = 0,
    top_k: int = 10,
    expected: Sequence[str] = (),
) -> ProbeResult:
    """The most probable labels of one text, which is cut to the model's length as in training.

    length: tokens that it is cut to; 0 for the model's own. expected: its label. The model's mode stays.
    """
    (ids,) = encode_rows(tokenizer, [text])
    ids = [CLS, *ids[: (length or model.length) - 2], SEP]
    was_training = model.training
    model.eval()
    scores = model.classify(model(torch.tensor([ids], device=model.head_bias.device), None))[0]
    model.train(was_training)
    probabilities = torch.softmax(scores.float(), dim=-1)
    best = probabilities.topk(min(top_k, len(model.labels)))
    candidates = tuple(
        Candidate(model.labels[label], probability)
        for label, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    )
    words = label_word(model.labels, expected[0], probabilities) if expected else ()
    return ProbeResult(text=text, masks=(candidates,), num_unknown=ids.count(UNK), expected=words)


def _batch(store: SequenceStore, samples: Tensor, length: int) -> LabelledBatch:
    assert store.labels is not None, "the token cache was built without labels"
    tokens, lengths, is_padded = store.rows(samples, length)
    labels = to_device(store.labels[samples], tokens.device)
    return LabelledBatch(tokens, lengths, labels, is_padded)


def _label_scores(model: Transformer, batch: LabelledBatch) -> Tensor:
    """(B, C) float32."""
    hidden = model(batch.inputs, batch.lengths if batch.is_padded else None)
    return model.classify(hidden).float()
