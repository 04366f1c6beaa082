"""From easy to all: lengths that grow, and an order in which every sample has its turn."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from engine.curriculum import (
    CurriculumOrder,
    arranged_order,
    difficulty,
    planned_samples,
    sequence_length,
)
from engine.data.batches import SampleOrder, SequenceStore
from engine.data.shards import Split
from presets.config import with_values
from presets.fields import Value
from presets.schema import CurriculumConfig, DataConfig, RunConfig


def configured(**changes: Value) -> RunConfig:
    return with_values(RunConfig(), {name.replace("__", "."): value for name, value in changes.items()})


def an_order(num_samples: int, planned: int, seed: int = 3, **changes: float) -> CurriculumOrder:
    """Sample i has difficulty i."""
    scores = torch.arange(num_samples).double()
    return CurriculumOrder(
        [num_samples], seed, scores, msgspec.structs.replace(CurriculumConfig(order="rarity"), **changes), planned
    )


def test_sequences_grow_in_multiples_of_eight_to_their_full_length() -> None:
    config = configured(data__sequence_length=100, curriculum__start_length=20, curriculum__length_share=0.5)
    lengths = [sequence_length(config, step / 1000) for step in range(1000)]
    assert lengths[0] == 20 and lengths == sorted(lengths)
    assert set(lengths) == {20, *range(24, 97, 8), 100}
    assert all(length == 100 for length in lengths[500:]) and lengths[499] == 96
    assert sequence_length(config, 1.0) == 100


@pytest.mark.parametrize("first", [8, 12, 15, 16, 63])
def test_the_first_sequences_are_as_long_as_was_asked_for(first: int) -> None:
    config = configured(data__sequence_length=64, curriculum__start_length=first)
    assert sequence_length(config, 0.0) == first
    assert min(sequence_length(config, step / 100) for step in range(100)) == first


def test_without_a_first_length_or_with_the_full_one_nothing_grows() -> None:
    for first in (0, 64):
        config = configured(data__sequence_length=64, curriculum__start_length=first)
        assert {sequence_length(config, share / 10) for share in range(11)} == {64}


def store_of(*sequences: list[int], length: int = 8) -> SequenceStore:
    ends = np.cumsum([0, *map(len, sequences)])
    tokens = np.array([token for sequence in sequences for token in sequence], dtype=np.uint16)
    data = DataConfig(sequence_length=length, min_words=1)
    return SequenceStore([Split(tokens, ends, ends)], data, torch.device("cpu"))


def test_rarity_is_the_mean_surprisal_of_the_words_and_length_their_number() -> None:
    store = store_of([7, 7, 7], [7, 8], [9], [8, 8, 8, 8, 8])
    counts = np.array([0, 0, 0, 0, 0, 0, 0, 84, 14, 0])
    surprisal = [-math.log((count + 1) / 108) for count in counts]
    expected = [surprisal[7], (surprisal[7] + surprisal[8]) / 2, surprisal[9], surprisal[8]]
    assert difficulty(store, counts, "rarity").tolist() == pytest.approx(expected, abs=1e-5)
    assert difficulty(store, counts, "length").tolist() == [3, 2, 1, 5]


def test_without_an_order_the_samples_come_bit_for_bit_as_before() -> None:
    store, plain = store_of([7], [8]), SampleOrder([2], 5)
    assert arranged_order(configured(), store, np.ones(10), plain) is plain


def test_the_pool_begins_with_the_easiest_and_grows_by_the_square_root() -> None:
    order = an_order(1000, planned=4000, start_share=0.2, order_share=0.5)
    _, samples = order.slice(0, 6000)
    for place in (0, 100, 500, 1000, 1500):
        competence = math.sqrt(place / 2000 * (1 - 0.04) + 0.04)
        hardest = int(samples[: place + 1].max())
        assert hardest < math.ceil(1000 * competence), f"place {place}"
        nearby = samples[place : place + 200]
        assert int(nearby.max()) > 1000 * competence * 0.9, "and the hard end of the pool is drawn from"
    assert int(samples[:200].max()) < 370


def test_a_run_of_one_epoch_sees_every_sample_exactly_once() -> None:
    passes, samples = an_order(1000, planned=1000).slice(0, 1000)
    assert sorted(samples.tolist()) == list(range(1000))
    assert set(passes.tolist()) == {0}


def test_no_sample_comes_twice_in_a_pass_and_all_come_within_an_epoch_after_the_growth() -> None:
    order = an_order(500, planned=5000, start_share=0.1, order_share=0.4)
    passes, samples = order.slice(0, 6000)
    assert torch.equal(passes, passes.sort().values), "passes follow each other"
    for number in set(passes.tolist()):
        drawn = samples[passes == number].tolist()
        assert len(drawn) == len(set(drawn)), f"pass {number}"
    assert set(samples[: 2000 + 500].tolist()) == set(range(500))
    late = samples[passes == int(passes[-1]) - 1].tolist()
    assert sorted(late) == list(range(500)), "after the growth a pass is an epoch"


@pytest.mark.parametrize("size", [1, 7, 64, 333])
def test_any_slice_at_any_time_is_the_same_as_a_walk_from_the_start(size: int) -> None:
    """What a resume and another number of processes rest on: a place alone decides."""
    whole = an_order(97, planned=700, start_share=0.05).slice(0, 1000)
    walking = an_order(97, planned=700, start_share=0.05)
    parts = [walking.slice(first, min(size, 1000 - first)) for first in range(0, 1000, size)]
    assert torch.equal(torch.cat([samples for _, samples in parts]), whole[1])
    assert torch.equal(torch.cat([passes for passes, _ in parts]), whole[0])
    jumping = an_order(97, planned=700, start_share=0.05)
    for first in (900, 10, 333, 340, 0, 650):
        passes, samples = jumping.slice(first, 50)
        assert torch.equal(samples, whole[1][first : first + 50]) and torch.equal(
            passes, whole[0][first : first + 50]
        )


def drawn(order: SampleOrder) -> Tensor:
    return order.slice(0, 300)[1]


def test_another_seed_draws_in_another_order_and_the_same_seed_in_the_same() -> None:
    assert torch.equal(drawn(an_order(100, 300, seed=1)), drawn(an_order(100, 300, seed=1)))
    assert not torch.equal(drawn(an_order(100, 300, seed=1)), drawn(an_order(100, 300, seed=2)))


def test_among_equally_hard_samples_the_pool_is_a_draw_and_not_the_first_of_the_file() -> None:
    config = CurriculumConfig(order="length", start_share=0.2)
    order = CurriculumOrder([1000], 1, torch.ones(1000, dtype=torch.float64), config, 10_000)
    first = order.slice(0, 100)[1]
    assert int(first.max()) > 800


@pytest.mark.parametrize(("num_samples", "planned"), [(1, 1), (1, 500), (3, 2), (5, 7)])
def test_tiny_data_and_tiny_runs_have_an_order_too(num_samples: int, planned: int) -> None:
    _, samples = an_order(num_samples, planned, start_share=0.01).slice(0, 100)
    assert set(samples.tolist()) == set(range(num_samples))


def test_the_plan_follows_from_the_configuration_alone() -> None:
    by_steps = configured(train__max_steps=10, train__batch_size=4, train__accumulation_steps=3)
    assert planned_samples(by_steps, 1000) == 120
    assert planned_samples(configured(train__max_steps=0, train__epochs=3), 1000) == 3000
