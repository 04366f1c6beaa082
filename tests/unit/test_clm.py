"""Causal language modelling: what is predicted from what, its loss against a dense computation, its scores."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.baselines import measure_floor
from engine.data.batches import SequenceStore
from engine.data.masking import IGNORED
from engine.data.shards import Split
from engine.data.tokenizers import CLS, PAD, SEP, UNK
from engine.models.transformer import Transformer
from engine.objectives import Draw
from engine.objectives.clm import CausalBatch, CausalLanguageModelling
from engine.objectives.token_prediction import logit_score_sums, token_scores
from presets.schema import DataConfig, ModelConfig, ObjectiveConfig
from tests.tiny import new_run, tiny_config, train

VOCAB, LENGTH = 30, 8
COUNTS = torch.zeros(VOCAB, dtype=torch.int64)


def store() -> SequenceStore:
    """Two documents, of 9 and of 3 tokens: sequences of 6, 3 and 3 tokens beside [CLS] and [SEP]."""
    split = Split(np.arange(10, 22, dtype=np.uint16), np.array([0, 9, 12]), np.array([0, 9, 12]))
    return SequenceStore([split], DataConfig(sequence_length=LENGTH), torch.device("cpu"))


def draw(*samples: int, length: int = LENGTH) -> Draw:
    places = torch.tensor(samples)
    return Draw(torch.zeros_like(places), places, 0.0, length)


def objective(**settings: float) -> CausalLanguageModelling:
    return CausalLanguageModelling(ObjectiveConfig(kind="clm", **settings), COUNTS, 3)  # type: ignore[arg-type]


def decoder(hidden_size: int = 8, positions: Literal["learned", "rotary"] = "learned") -> Transformer:
    config = ModelConfig(hidden_size=hidden_size, num_layers=2, num_heads=2, positions=positions, init_std=0.3)
    model = Transformer(config, VOCAB, LENGTH, is_causal=True)
    model.initialise(seed=1)
    return model


def test_every_token_is_asked_for_its_successor_up_to_sep_and_padding_for_nothing() -> None:
    batch = objective().training_batch(store(), draw(0, 1))
    assert batch.inputs.tolist() == [
        [CLS, 10, 11, 12, 13, 14, 15, SEP],
        [CLS, 16, 17, 18, SEP, PAD, PAD, PAD],
    ]
    assert batch.targets.tolist() == [
        [10, 11, 12, 13, 14, 15, SEP],
        [16, 17, 18, SEP, IGNORED, IGNORED, IGNORED],
    ]
    assert objective().counts(store(), draw(0, 1)) == (11.0,) == (float((batch.targets != IGNORED).sum()),)


def test_a_shorter_length_cuts_sequences_and_is_counted() -> None:
    batch = objective().training_batch(store(), draw(0, 1, length=4))
    assert batch.inputs.tolist() == [[CLS, 10, 11, SEP], [CLS, 16, 17, SEP]]
    assert objective().counts(store(), draw(0, 1, length=4)) == (6.0,)


@pytest.mark.parametrize("hidden_size", [8, 128])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_parts_adds_up_to_the_mean_over_all_next_tokens(hidden_size: int, smoothing: float) -> None:
    model, causal = decoder(hidden_size), objective(label_smoothing=smoothing)
    whole = causal.training_batch(store(), draw(0, 1, 2))
    dense = F.cross_entropy(
        model.logits(model(whole.inputs, None))[:, :-1].flatten(0, 1),
        whole.targets.flatten(),
        ignore_index=IGNORED,
        label_smoothing=smoothing,
    )
    dense.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    counts = causal.counts(store(), draw(0, 1, 2))
    total = 0.0
    for samples in ((0,), (1, 2)):
        loss = causal.loss(model, causal.training_batch(store(), draw(*samples)), counts)
        loss.backward()
        total += float(loss.detach())
    assert total == pytest.approx(dense.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, expected[name], atol=1e-5), name


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_no_token_is_predicted_from_itself_or_a_later_one(positions: Literal["learned", "rotary"]) -> None:
    model, causal = decoder(positions=positions), objective()
    batch = causal.frozen_batch(store(), torch.tensor([0]))
    changed = batch.inputs.clone()
    changed[0, 4:] = 25
    for place in range(7):
        alone = torch.full_like(batch.targets, IGNORED)
        alone[0, place] = 20
        same = [
            causal.score_sums(model, CausalBatch(inputs, alone))[0].item() for inputs in (batch.inputs, changed)
        ]
        assert (same[0] == pytest.approx(same[1], abs=1e-6)) == (place < 4), place


def test_scores_leave_unknown_targets_out_when_asked_and_count_bytes_of_text_alone() -> None:
    logits = torch.zeros(5, VOCAB)
    logits[:, UNK] = 3.0
    targets = torch.tensor([UNK, 10, SEP, 11, IGNORED])
    sizes = torch.zeros(VOCAB)
    sizes[UNK], sizes[10], sizes[11] = 6.0, 4.0, 2.0
    sums = logit_score_sums(logits, targets, sizes)
    scores = token_scores(sums * 2)
    base = math.log(VOCAB - 1 + math.exp(3.0))
    assert scores.loss == pytest.approx((4 * base - 3.0) / 4, rel=1e-6)
    assert scores.figures["accuracy"] == 0.25
    assert scores.figures["accuracy_known"] == 0.0
    assert scores.figures["bits_per_byte"] == pytest.approx((3 * base - 3.0) / math.log(2) / 12, rel=1e-6)
    assert "bits_per_byte" not in token_scores(logit_score_sums(logits, targets, None)).figures


def test_frequency_knows_how_often_a_sequence_ends() -> None:
    counts = torch.zeros(VOCAB, dtype=torch.int64)
    counts[10:22] = 1
    causal = CausalLanguageModelling(ObjectiveConfig(kind="clm"), counts, num_sequences=3)
    baselines = causal.baselines(store(), torch.arange(3))
    total = 12 + 3 + (VOCAB - 5) + 1  # every word and [UNK] seen once more
    losses = [-math.log(3 / total)] * 3 + [-math.log(2 / total)] * 12
    assert baselines.unigram_loss == pytest.approx(sum(losses) / 15)
    assert baselines.uniform_loss == pytest.approx(math.log(VOCAB))
    assert int(counts[SEP]) == 0, "the caller's counts stay"


def test_a_grammar_has_no_floor_for_next_tokens_since_its_floor_is_that_of_masks() -> None:
    grammar = DataConfig(source="synthetic", dataset="templates")
    assert measure_floor(grammar, objective(), store(), torch.arange(3)) is None


@pytest.mark.parametrize("settings", [{"objective__kind": "clm"}, {"objective__whole_words": True}])
def test_a_run_that_was_stopped_and_resumed_ends_with_the_same_weights_to_the_bit(
    settings: dict[str, str | bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYTRAIN_CACHE", str(tmp_path / "cache"))
    probes = ("the people of the",) if "objective__kind" in settings else ("the people of the [MASK]",)
    config = tiny_config(
        **settings, probes__texts=probes, data__tokenizer="wordpiece", objective__mask_rate_end=0.4
    )
    straight, _ = train(new_run(tmp_path / "a", config))
    folder = new_run(tmp_path / "b", config)
    train(folder, stop_at=7)
    resumed, outcome = train(folder, resume="last")
    assert outcome.step == 20
    weights = resumed.run.model.state_dict()
    for name, tensor in straight.run.model.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
