"""The masked-LM objective: its loss against a dense computation, its scores, its baselines."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.baselines import frequency_baselines
from engine.data.batches import SequenceStore
from engine.data.masking import IGNORED, MaskedBatch
from engine.data.shards import Split
from engine.data.tokenizers import MASK, UNK
from engine.models.transformer import Transformer
from engine.objectives import Draw, Scores
from engine.objectives.mlm import MaskedLanguageModelling
from presets.schema import DataConfig, ModelConfig, ObjectiveConfig

VOCAB, LENGTH = 60, 12
COUNTS = torch.ones(VOCAB)
OBJECTIVE = MaskedLanguageModelling(ObjectiveConfig(), COUNTS, seed=0)


def parts(hidden_size: int) -> tuple[Transformer, MaskedBatch]:
    model = Transformer(ModelConfig(hidden_size=hidden_size, num_layers=1, num_heads=2), VOCAB, LENGTH)
    model.initialise(seed=1)
    positions = torch.tensor([[1, 4], [2, 0], [9, 3]])
    targets = torch.tensor([[11, UNK], [13, IGNORED], [14, 15]])
    inputs = torch.randint(5, VOCAB, (3, LENGTH), generator=torch.Generator().manual_seed(0))
    return model, MaskedBatch(inputs, torch.tensor([LENGTH, 8, LENGTH]), positions, targets, is_padded=True)


@pytest.mark.parametrize("hidden_size", [8, 128])
def test_the_loss_on_masked_positions_is_the_dense_loss_with_all_others_ignored(hidden_size: int) -> None:
    model, batch = parts(hidden_size)
    labels = torch.full((3, LENGTH), IGNORED)
    labels[0, 1], labels[0, 4], labels[1, 2], labels[2, 9], labels[2, 3] = 11, UNK, 13, 14, 15
    logits = model.logits(model(batch.inputs, batch.lengths))
    dense = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    dense.backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    loss = OBJECTIVE.loss(model, batch, (1.0,))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(dense.detach()), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, expected[name], atol=1e-5), name


def test_scores_count_predictions_once_and_leave_unknown_targets_out_when_asked() -> None:
    model, batch = parts(8)
    with torch.no_grad():
        model.token_embedding.weight.zero_()
        model.head_bias.zero_()
        model.head_bias[UNK] = 3.0
    scores = OBJECTIVE.scores(OBJECTIVE.score_sums(model, batch))
    assert scores.figures["accuracy"] == pytest.approx(1 / 5), "only the [UNK] target is right"
    assert scores.figures["accuracy_known"] == 0.0
    biased = math.log(VOCAB - 1 + math.exp(3.0))
    assert scores.loss == pytest.approx((5 * biased - 3.0) / 5, rel=1e-5)
    assert scores.perplexity == pytest.approx(math.exp(scores.loss))


def test_a_hopeless_loss_has_an_infinite_perplexity_and_no_crash() -> None:
    assert Scores(1e6).perplexity == math.inf


def test_baselines_are_the_cross_entropies_of_uniform_and_of_word_frequency() -> None:
    counts = torch.tensor([0, 0, 0, 0, 0, 59, 29, 9])
    targets = torch.tensor([5, 5, 6, 7])
    baselines = frequency_baselines(targets, counts)
    shares = [60 / 101, 60 / 101, 30 / 101, 10 / 101]  # each word, and [UNK], seen once more than it was
    assert baselines.uniform_loss == pytest.approx(math.log(8))
    assert baselines.unigram_loss == pytest.approx(-sum(math.log(share) for share in shares) / 4)
    assert baselines.unigram_accuracy == 0.5


def test_an_unknown_word_that_training_never_had_costs_much_and_not_infinitely_much() -> None:
    baselines = frequency_baselines(torch.tensor([1]), torch.tensor([0, 0, 0, 0, 0, 59, 29, 9]))
    assert baselines.unigram_loss == pytest.approx(math.log(101))


def rows_of(lengths: list[int]) -> SequenceStore:
    """One sequence a document, of these lengths with [CLS] and [SEP]."""
    ends = np.cumsum([0, *(length - 2 for length in lengths)])
    tokens = np.arange(ends[-1], dtype=np.uint16) % (VOCAB - 5) + 5
    return SequenceStore([Split(tokens, ends, ends)], DataConfig(sequence_length=64), torch.device("cpu"))


def draw(share: float) -> Draw:
    return Draw(torch.zeros(3, dtype=torch.int64), torch.arange(3), share, 64)


def test_a_rate_that_falls_is_the_batchs_and_is_counted_and_evaluations_do_not_follow_it() -> None:
    store = rows_of([64, 40, 22])
    falling = MaskedLanguageModelling(ObjectiveConfig(mask_rate=0.5, mask_rate_end=0.1), COUNTS, seed=0)
    for share, expected in ((0.0, 31 + 19 + 10), (0.5, 19 + 11 + 6), (1.0, 6 + 4 + 2)):
        batch = falling.training_batch(store, draw(share))
        assert falling.counts(store, draw(share)) == (float(expected),)
        assert int((batch.targets != IGNORED).sum()) == expected
    frozen, usual = falling.frozen_batch(store, torch.arange(3)), OBJECTIVE.frozen_batch(store, torch.arange(3))
    assert torch.equal(frozen.inputs, usual.inputs) and torch.equal(frozen.targets, usual.targets)


def test_whole_words_are_hidden_in_training_and_never_in_evaluations() -> None:
    store, starts = rows_of([64, 40, 22]), torch.arange(VOCAB) % 4 == 0
    whole = MaskedLanguageModelling(
        ObjectiveConfig(whole_words=True, mask_token_share=1.0, random_token_share=0.0),
        COUNTS,
        0,
        starts_word=starts,
    )
    batch = whole.training_batch(store, draw(0.0))
    hidden = batch.inputs == MASK
    assert hidden.sum(1).tolist() == [9, 6, 3]
    original = store.rows(torch.arange(3))[0]
    inner = ~starts[original][:, 1:] & (original[:, 1:] >= 5)
    alone = inner & hidden[:, 1:] & ~hidden[:, :-1]
    assert not bool(alone[:, 1:].any()), "a piece inside a word is hidden only with the piece before it"
    frozen, usual = whole.frozen_batch(store, torch.arange(3)), OBJECTIVE.frozen_batch(store, torch.arange(3))
    assert torch.equal(frozen.inputs, usual.inputs)
    with pytest.raises(ValueError, match="which tokens begin a word"):
        MaskedLanguageModelling(ObjectiveConfig(whole_words=True), COUNTS, 0)


@pytest.mark.parametrize("hidden_size", [8, 128])
def test_smoothed_labels_are_in_the_training_loss_and_not_in_scores(hidden_size: int) -> None:
    model, batch = parts(hidden_size)
    smooth = MaskedLanguageModelling(ObjectiveConfig(label_smoothing=0.3), COUNTS, seed=0)
    logits = model.logits(model(batch.inputs, batch.lengths)).log_softmax(-1)
    targets = [(0, 1, 11), (0, 4, UNK), (1, 2, 13), (2, 9, 14), (2, 3, 15)]
    expected = -sum(
        0.7 * logits[row, place, target] + 0.3 * logits[row, place].mean() for row, place, target in targets
    )
    assert smooth.loss(model, batch, (5.0,)).item() == pytest.approx(expected.item() / 5, rel=1e-5)
    assert torch.equal(smooth.score_sums(model, batch), OBJECTIVE.score_sums(model, batch))
