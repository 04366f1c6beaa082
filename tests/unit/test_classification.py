"""Classification: the loss and the scores of labels against formulas written out, and what a probe shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers

from engine.data.batches import SequenceStore
from engine.data.shards import Split
from engine.data.tokenizers import CLS, SEP, SPECIAL_TOKENS
from engine.models.transformer import Transformer
from engine.objectives import Draw
from engine.objectives.classification import Classification, classify_text
from presets.schema import DataConfig, ModelConfig, ObjectiveConfig
from runs.confusion import class_f1, macro_f1

NAMES = ("bad", "fair", "good")
LENGTH = 8
VOCAB = 30


def labelled_store(num_documents: int = 30) -> SequenceStore:
    """Documents of 1 to 9 tokens; the classes are 0, 1, 1, 2 in turn."""
    generator = np.random.default_rng(0)
    sizes = 1 + np.arange(num_documents) % 9
    edges = np.concatenate([[0], np.cumsum(sizes)])
    tokens = generator.integers(5, VOCAB, edges[-1]).astype(np.uint16)
    labels = np.array([0, 1, 1, 2])[np.arange(num_documents) % 4]
    data = DataConfig(sequence_length=LENGTH, long_documents="truncate")
    return SequenceStore([Split(tokens, edges, edges, labels)], data, torch.device("cpu"))


def tiny_model() -> Transformer:
    config = ModelConfig(hidden_size=8, num_layers=1, num_heads=2, init_std=0.9)  # so that answers differ
    model = Transformer(config, VOCAB, LENGTH, labels=NAMES)
    model.initialise(1)
    return model


def objective(label_smoothing: float = 0.0) -> Classification:
    settings = ObjectiveConfig(kind="classification", label_smoothing=label_smoothing)
    return Classification(settings, torch.tensor([10, 25, 5]))


def draw_of(samples: torch.Tensor) -> Draw:
    return Draw(torch.zeros_like(samples), samples, 0.0, LENGTH)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_smoothed_cross_entropy_however_the_batch_is_cut(smoothing: float) -> None:
    store, model, task = labelled_store(), tiny_model(), objective(smoothing)
    every = torch.arange(len(store))
    counts = task.counts(store, draw_of(every))
    parts = [task.loss(model, task.training_batch(store, draw_of(part)), counts) for part in every.split(7)]
    tokens, lengths, _ = store.rows(every)
    scores = model.classify(model(tokens, lengths))
    assert store.labels is not None
    expected = F.cross_entropy(scores, store.labels, label_smoothing=smoothing)
    log_shares = scores.log_softmax(-1)
    own = log_shares[every, store.labels]
    written_out = -((1 - smoothing) * own + smoothing * log_shares.mean(-1)).mean()
    assert expected.item() == pytest.approx(written_out.item(), rel=1e-5)
    assert sum(part.item() for part in parts) == pytest.approx(expected.item(), rel=1e-5)


@torch.no_grad()
def test_scores_are_accuracy_macro_f1_and_the_confusion_matrix() -> None:
    store, model, task = labelled_store(), tiny_model(), objective(label_smoothing=0.3)
    every = torch.arange(len(store))
    sums = torch.stack([task.score_sums(model, task.frozen_batch(store, part)) for part in every.split(8)]).sum(0)
    scores = task.scores(sums)
    tokens, lengths, _ = store.rows(every)
    answers = model.classify(model(tokens, lengths))
    truth, said = store.labels, answers.argmax(-1)
    assert truth is not None and len(set(said.tolist())) > 1
    assert scores.loss == pytest.approx(F.cross_entropy(answers, truth).item(), rel=1e-5), "without smoothing"
    assert scores.figures["accuracy"] == pytest.approx((truth == said).double().mean().item())
    values = []
    for label in range(3):
        hits = int(((truth == label) & (said == label)).sum())
        precision = hits / max(1, int((said == label).sum()))
        recall = hits / int((truth == label).sum())
        values.append(2 * precision * recall / (precision + recall) if hits else 0.0)
        row = [int(((truth == label) & (said == other)).sum()) for other in range(3)]
        assert scores.confusion[label] == tuple(row)
    assert scores.figures["f1"] == pytest.approx(sum(values) / 3)
    assert class_f1(scores.confusion) == pytest.approx(tuple(values))


def test_a_label_that_is_neither_there_nor_said_does_not_count_in_f1() -> None:
    confusion = [[3, 1, 0], [2, 4, 0], [0, 0, 0]]
    assert class_f1(confusion) == (pytest.approx(6 / 9), pytest.approx(8 / 11), None)
    assert macro_f1(confusion) == pytest.approx((6 / 9 + 8 / 11) / 2)
    assert macro_f1([[0, 0], [0, 0]]) == 0.0


def test_baselines_guess_evenly_or_know_how_frequent_the_labels_are() -> None:
    store = labelled_store(8)  # 0 1 1 2 0 1 1 2
    baselines = objective().baselines(store, torch.arange(8))
    assert baselines.uniform_loss == pytest.approx(math.log(3))
    shares = [11 / 43, 26 / 43, 6 / 43]
    expected = -(2 * math.log(shares[0]) + 4 * math.log(shares[1]) + 2 * math.log(shares[2])) / 8
    assert baselines.unigram_loss == pytest.approx(expected)
    assert baselines.unigram_accuracy == pytest.approx(4 / 8)


def test_a_probe_names_the_labels_and_cuts_what_is_too_long() -> None:
    words = [*SPECIAL_TOKENS, *(f"w{number}" for number in range(VOCAB - 5))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = tiny_model().train()
    text = "w3 unheard w5 w6 w7 w8 w9 w10 w11"
    found = classify_text(model, tokenizer, text)
    assert model.training and found.text == text and found.num_unknown == 1
    (labels,) = found.masks
    model.eval()
    ids = [CLS, 8, 1, 10, 11, 12, 13, SEP]
    expected = model.classify(model(torch.tensor([ids]), None))[0].softmax(-1)
    assert {label.token: label.probability for label in labels} == pytest.approx(
        dict(zip(NAMES, expected.tolist(), strict=True)), rel=1e-5
    )
    assert [label.probability for label in labels] == sorted(expected.tolist(), reverse=True)
    assert len(classify_text(model, tokenizer, text, top_k=2).masks[0]) == 2
