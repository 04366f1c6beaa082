"""Sentence pairs: where sequences are cut, what is swapped or replaced; masks never touch a special token."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from engine.data.batches import SequenceStore
from engine.data.hashing import sample_keys
from engine.data.masking import IGNORED
from engine.data.pairs import PairKind, make_pairs, sentence_ends
from engine.data.shards import Split
from engine.data.tokenizers import CLS, MASK, PAD, SEP, SPECIAL_TOKENS
from engine.models.transformer import Transformer
from engine.objectives import Draw
from engine.objectives.sentence_pairs import SentencePairs
from presets.schema import DataConfig, ModelConfig, ObjectiveConfig

LENGTH = 16
STOP = 5  # the token `.`
VOCAB = 2000
ENDS = torch.arange(VOCAB) == STOP


def store_of(documents: list[list[list[int]]], length: int = LENGTH) -> SequenceStore:
    """A store whose shards have these documents; each document is one row of tokens."""
    splits = []
    for shard in documents:
        edges = np.cumsum([0, *map(len, shard)])
        tokens = np.array([token for document in shard for token in document], dtype=np.uint16)
        splits.append(Split(tokens, edges, edges))
    data = DataConfig(sequence_length=length)
    return SequenceStore(splits, data, torch.device("cpu"))


def many(num_documents: int = 40, shards: int = 2) -> SequenceStore:
    """Documents of 3 to 40 words; word i of document d is unlike any other word of another document's."""
    found: list[list[list[int]]] = [[] for _ in range(shards)]
    for number in range(num_documents):
        size = 3 + 11 * number % 38
        words = [STOP if place % 5 == 1 else 6 + 9 * number + place % 9 for place in range(size)]
        found[number * shards // num_documents].append(words)
    return store_of(found)


def keys_of(store: SequenceStore, epoch: int = 0) -> tuple[Tensor, Tensor]:
    samples = torch.arange(len(store))
    return samples, sample_keys(7, torch.full_like(samples, epoch), samples)


def texts(tokens: Tensor, first: Tensor, second: Tensor) -> list[tuple[list[int], list[int]]]:
    """The two texts of each row of `TextPairs`."""
    rows = zip(tokens.tolist(), first.tolist(), second.tolist(), strict=True)
    return [(row[1 : 1 + a], row[1 + a : 1 + a + b]) for row, a, b in rows]


@pytest.mark.parametrize(
    ("words", "cut"),
    [
        ([10, 11, STOP, 12, 13, 14, 15, 16], 3),  # the only end of a sentence
        ([10, STOP, 11, 12, STOP, 13, 14, 15], 5),  # 5 of 8 is nearer to the middle than 2
        ([10, 11, STOP, 12, STOP, 13, 14, 15], 3),  # 3 and 5 are equally near: the earlier
        ([10, 11, 12, 13, 14, 15, 16, STOP], 4),  # the end of the whole is none within
        ([10, 11, 12, 13, 14], 2),
        ([10, 11], 1),
        (list(range(10, 27)), 6),  # 13 words are left of it: [CLS] and two [SEP] take three of 16
    ],
)
def test_a_sequence_is_cut_at_the_end_of_a_sentence_nearest_the_middle(words: list[int], cut: int) -> None:
    store = store_of([[words, [10] * 5]])
    for epoch in range(6):
        samples, keys = keys_of(store, epoch)
        pairs = make_pairs("sop", store, samples[:1], keys[:1], ENDS, LENGTH)
        ((first, second),) = texts(pairs.tokens, pairs.first, pairs.second)
        cut_words = words[: LENGTH - 3]
        halves = cut_words[:cut], cut_words[cut:]
        assert (first, second) == (halves if bool(pairs.belongs[0]) else halves[::-1])


def test_half_of_the_pairs_are_swapped_and_each_epoch_draws_anew() -> None:
    store = many(200)
    samples, keys = keys_of(store)
    pairs = make_pairs("sop", store, samples, keys, ENDS, LENGTH)
    again = make_pairs("sop", store, samples, keys, ENDS, LENGTH)
    later = make_pairs("sop", store, samples, keys_of(store, 1)[1], ENDS, LENGTH)
    assert torch.equal(pairs.tokens, again.tokens) and not torch.equal(pairs.belongs, later.belongs)
    share = float(pairs.belongs.double().mean())
    assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(len(store))
    backwards = make_pairs("sop", store, samples.flip(0), keys.flip(0), ENDS, LENGTH)
    assert torch.equal(backwards.tokens.flip(0), pairs.tokens), "a pair does not depend on its batch"


def test_a_replaced_half_is_the_second_half_of_another_document_of_the_same_shard() -> None:
    store = many(60, shards=3)
    owner = [(words[0] - 6) // 9 for words in _words(store)]
    samples = torch.arange(len(store))
    num_replaced = 0
    for epoch in range(4):
        keys = keys_of(store, epoch)[1]
        pairs = make_pairs("nsp", store, samples, keys, ENDS, LENGTH)
        for sample, (first, second) in enumerate(texts(pairs.tokens, pairs.first, pairs.second)):
            own = _halves(_words(store)[sample])
            assert first == own[0]
            if bool(pairs.belongs[sample]):
                assert second == own[1]
                continue
            num_replaced += 1
            others = {(word - 6) // 9 for word in second if word != STOP}
            assert all(other != owner[sample] and other // 20 == owner[sample] // 20 for other in others)
            room = LENGTH - 3 - len(first)
            assert any(second == _halves(words)[1][:room] for words in _words(store))
    share = num_replaced / (4 * len(store))
    assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(4 * len(store))


def _words(store: SequenceStore) -> list[list[int]]:
    tokens, lengths, _ = store.rows(torch.arange(len(store)))
    return [row[1 : length - 1] for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True)]


def _halves(words: list[int]) -> tuple[list[int], list[int]]:
    """The rule, written out."""
    words = words[: LENGTH - 3]
    ends = [place for place in range(1, len(words)) if words[place - 1] == STOP]
    middle = len(words) / 2
    cut = min(ends, key=lambda place: (abs(place - middle), place)) if ends else max(1, len(words) // 2)
    cut = min(cut, len(words) - 1)
    return words[:cut], words[cut:]


def objective_of(kind: PairKind, **values: float) -> SentencePairs:
    counts = torch.ones(VOCAB, dtype=torch.int64)
    return SentencePairs(kind, ObjectiveConfig(kind=kind, **values), counts, ENDS, seed=3)  # type: ignore[arg-type]


def draw_of(store: SequenceStore, length: int = LENGTH) -> Draw:
    samples = torch.arange(len(store))
    return Draw(torch.zeros_like(samples), samples, 0.0, length)


@pytest.mark.parametrize("kind", ["sop", "nsp"])
def test_the_layout_is_cls_first_sep_second_sep_and_no_special_token_is_masked(kind: PairKind) -> None:
    store = many(80)
    objective = objective_of(kind, mask_rate=0.5)
    batch = objective.training_batch(store, draw_of(store))
    plain = objective_of(kind, mlm_weight=0.0).training_batch(store, draw_of(store))
    assert plain.positions.shape == (len(store), 0)
    assert torch.equal(plain.lengths, batch.lengths) and torch.equal(plain.belongs, batch.belongs)
    assert torch.equal(plain.segments, batch.segments)
    for row, masked, length, segments in zip(
        plain.inputs.tolist(), batch.inputs.tolist(), batch.lengths.tolist(), batch.segments.tolist(), strict=True
    ):
        assert row[0] == CLS and row[length - 1] == SEP and row[length:] == [PAD] * (LENGTH - length)
        assert length <= LENGTH and row[:length].count(SEP) == 2 and MASK not in row
        middle = row.index(SEP)
        assert segments == [0] * (middle + 1) + [1] * (length - middle - 1) + [0] * (LENGTH - length)
        assert all(masked[place] == row[place] for place in range(LENGTH) if row[place] in (CLS, SEP, PAD))
    is_target = batch.targets != IGNORED
    assert torch.equal(plain.inputs.gather(1, batch.positions)[is_target], batch.targets[is_target])
    assert int((batch.inputs == MASK).sum()) > 0
    num_masked, num_pairs = objective.counts(store, draw_of(store))
    assert num_masked == int(is_target.sum()) and num_pairs == int((batch.belongs != IGNORED).sum())


def test_a_text_of_one_word_is_no_pair_and_one_document_has_no_other() -> None:
    store = store_of([[[10], [11, 12, STOP, 13]]])
    for kind in ("sop", "nsp"):
        objective = objective_of(kind)  # type: ignore[arg-type]
        batch = objective.training_batch(store, draw_of(store))
        assert batch.belongs[0] == IGNORED and batch.belongs[1] in (0, 1)
        assert objective.counts(store, draw_of(store))[1] == 1.0
    alone = store_of([[[10, 11, 12, STOP] * 20]])
    assert objective_of("nsp").training_batch(alone, draw_of(alone)).belongs.tolist() == [1] * len(alone)


def tiny_model(segments: int = 2) -> Transformer:
    config = ModelConfig(hidden_size=8, num_layers=1, num_heads=2, segments=segments)
    model = Transformer(config, VOCAB, LENGTH, labels=("no", "yes"))
    model.initialise(1)
    return model


@pytest.mark.parametrize("kind", ["sop", "nsp"])
def test_micro_batches_add_up_to_the_loss_of_the_global_batch(kind: PairKind) -> None:
    store, model, objective = many(50), tiny_model(), objective_of(kind, mlm_weight=0.5)
    draw = draw_of(store)
    counts = objective.counts(store, draw)
    whole = objective.loss(model, objective.training_batch(store, draw), counts)
    parts = torch.zeros(())
    for samples in torch.split(draw.samples, 7):
        part = Draw(torch.zeros_like(samples), samples, 0.0, LENGTH)
        parts = parts + objective.loss(model, objective.training_batch(store, part), counts)
    assert parts.item() == pytest.approx(whole.item(), rel=1e-5)
    batch = objective.training_batch(store, draw)
    hidden = model(batch.inputs, batch.lengths, batch.segments)
    pairs = F.cross_entropy(model.classify(hidden), batch.belongs, ignore_index=IGNORED)
    logits = model.logits(hidden.gather(1, batch.positions[:, :, None].expand(-1, -1, 8)))
    masks = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED)
    assert whole.item() == pytest.approx((0.5 * masks + pairs).item(), rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_scores_and_baselines_are_of_the_same_sum(weight: float) -> None:
    store, model, objective = many(60), tiny_model(), objective_of("sop", mlm_weight=weight)
    samples = torch.arange(len(store))
    sums = torch.stack(
        [objective.score_sums(model, objective.frozen_batch(store, part)) for part in samples.split(9)]
    ).sum(0)
    scores = objective.scores(sums)
    baselines = objective.baselines(store, samples)
    # an untrained model knows nothing
    assert scores.loss == pytest.approx(baselines.uniform_loss, abs=0.1)
    assert baselines.uniform_loss == pytest.approx(weight * math.log(VOCAB) + math.log(2))
    assert scores.figures["pair_loss"] == pytest.approx(math.log(2), abs=0.05)
    assert ("accuracy" in scores.figures) == bool(weight) and 0 <= scores.figures["pair_accuracy"] <= 1
    other_seed = SentencePairs("sop", objective.objective, objective.token_counts, ENDS, seed=99)
    assert torch.equal(
        other_seed.frozen_batch(store, samples).inputs, objective.frozen_batch(store, samples).inputs
    )


def test_sentence_ends_are_found_in_every_kind_of_vocabulary() -> None:
    words = [*SPECIAL_TOKENS, ".", "!", "?", '."', "...", ",", "end.", "a", "##.", "##!"]
    pieces = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    assert [words[i] for i in sentence_ends(pieces).nonzero().flatten()] == [
        ".", "!", "?", '."', "...", "##.", "##!",
    ]  # fmt: skip
    spaced = [*SPECIAL_TOKENS, "Ġ.", ".", "Ġthe", ".Ġ", "?)"]
    pairs = Tokenizer(models.BPE({word: i for i, word in enumerate(spaced)}, []))
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert [spaced[i] for i in sentence_ends(pairs).nonzero().flatten()] == ["Ġ.", ".", "?)"]


@pytest.mark.parametrize("changed", ["samples", "epochs", "length"])
def test_pairs_that_were_counted_are_not_taken_for_those_of_another_batch(changed: str) -> None:
    store = many(50)
    samples = torch.arange(20)
    counted = Draw(torch.zeros_like(samples), samples, 0.0, LENGTH)
    other = {
        "samples": Draw(counted.epochs, samples + 5, 0.0, LENGTH),
        "epochs": Draw(counted.epochs + 1, samples, 0.0, LENGTH),
        "length": Draw(counted.epochs, samples, 0.0, LENGTH - 4),
    }[changed]
    objective = objective_of("nsp")
    objective.counts(store, counted)
    batch, expected = objective.training_batch(store, other), objective_of("nsp").training_batch(store, other)
    assert torch.equal(batch.inputs, expected.inputs) and torch.equal(batch.belongs, expected.belongs)


def test_a_store_on_a_device_has_its_sequences_on_the_host_too_also_those_that_come_later() -> None:
    store = many(20)
    splits = list(store._splits)
    away = SequenceStore(splits[:1], DataConfig(sequence_length=LENGTH), torch.device("meta"))
    assert len(away.on_cpu()) == store.sizes[0]
    away.add(splits[1])
    host = away.on_cpu()
    assert host.device.type == "cpu" and host is away.on_cpu() and store.on_cpu() is store
    every = torch.arange(len(store))
    assert torch.equal(host.rows(every)[0], store.rows(every)[0])
    assert torch.equal(away.document_bounds, store.document_bounds)
