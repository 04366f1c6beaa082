"""The order of samples, and how sequences are cut and framed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.data.batches import SampleOrder, SequenceStore
from engine.data.shards import Split
from engine.data.tokenizers import CLS, PAD, SEP
from presets.schema import DataConfig


def split() -> Split:
    """Two documents: rows of 5 and 3 tokens, then one of 9; token ids above 32,767 among them."""
    tokens = np.arange(40_000, 40_017, dtype=np.uint16)
    return Split(tokens, np.array([0, 5, 8, 17]), np.array([0, 8, 17]))


def test_every_epoch_has_every_sample_once_and_an_order_of_its_own() -> None:
    order = SampleOrder([103], seed=3)
    epochs, samples = order.slice(0, 309)
    by_epoch = [samples[epochs == epoch] for epoch in range(3)]
    assert all(sorted(part.tolist()) == list(range(103)) for part in by_epoch)
    assert not torch.equal(by_epoch[0], by_epoch[1])


def test_batches_run_across_the_end_of_an_epoch_without_a_gap() -> None:
    whole = SampleOrder([10], seed=3).slice(0, 40)
    order = SampleOrder([10], seed=3)
    parts = [order.slice(first, 8) for first in range(0, 40, 8)]
    assert torch.equal(whole[1], torch.cat([samples for _, samples in parts]))
    assert torch.equal(whole[0], torch.cat([epochs for epochs, _ in parts]))


def test_a_place_in_the_stream_can_be_asked_for_in_any_order() -> None:
    straight, jumping = SampleOrder([10], seed=3), SampleOrder([10], seed=3)
    late = jumping.slice(95, 5)
    jumping.slice(3, 5)
    assert torch.equal(straight.slice(95, 5)[1], late[1])


def test_long_documents_are_split_into_windows_that_cover_every_token_once() -> None:
    data = DataConfig(sequence_length=8, long_documents="split")
    store = SequenceStore([split()], data, torch.device("cpu"))
    tokens, lengths, _ = store.rows(torch.arange(len(store)))
    assert lengths.tolist() == [8, 4, 8, 5]
    words = [row[1 : length - 1].tolist() for row, length in zip(tokens, lengths.tolist(), strict=True)]
    assert [word for window in words for word in window] == list(range(40_000, 40_017))
    assert words[1] == [40_006, 40_007], "a window never runs into the next document"


def test_truncation_keeps_the_first_window_of_every_row() -> None:
    data = DataConfig(sequence_length=8, long_documents="truncate")
    store = SequenceStore([split()], data, torch.device("cpu"))
    tokens, lengths, _ = store.rows(torch.arange(len(store)))
    assert lengths.tolist() == [7, 5, 8]
    assert tokens[1].tolist() == [CLS, 40_005, 40_006, 40_007, SEP, PAD, PAD, PAD]


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    store = SequenceStore([split()], DataConfig(sequence_length=8), torch.device("cpu"))
    together, _, _ = store.rows(torch.tensor([3, 0, 2]))
    alone, _, _ = store.rows(torch.tensor([2]))
    assert torch.equal(together[2], alone[0])


def test_rows_can_be_cut_to_fewer_tokens_and_tell_whether_any_is_padded() -> None:
    store = SequenceStore([split()], DataConfig(sequence_length=8), torch.device("cpu"))
    tokens, lengths, is_padded = store.rows(torch.tensor([0, 1]), 4)
    assert lengths.tolist() == [4, 4] and not is_padded
    assert tokens[0].tolist() == [CLS, *store.rows(torch.tensor([0]))[0][0, 1:3].tolist(), SEP]
    assert store.rows(torch.tensor([0, 1]))[2], "the second sequence has 4 of 8 tokens"


def test_sequences_of_several_shards_are_those_of_one_after_the_other() -> None:
    data, cpu = DataConfig(sequence_length=8), torch.device("cpu")
    alone = SequenceStore([split()], data, cpu)
    several = SequenceStore([split(), split()], data, cpu)
    several.add(split())
    mixed = torch.tensor([11, 0, 5, 8, 3, 4])
    assert len(several) == 3 * len(alone)
    assert torch.equal(several.rows(mixed)[0], alone.rows(mixed % len(alone))[0])
    assert torch.equal(several.rows(mixed)[1], alone.rows(mixed % len(alone))[1])


def test_tokens_of_a_large_vocabulary_keep_their_ids() -> None:
    tokens = np.array([70_000, 3_000_000_000, 5], dtype=np.uint32)
    large = Split(tokens, np.array([0, 3]), np.array([0, 3]))
    store = SequenceStore([large], DataConfig(sequence_length=8), torch.device("cpu"))
    assert store.rows(torch.tensor([0]))[0][0, 1:4].tolist() == [70_000, 3_000_000_000, 5]


def test_the_first_epoch_of_a_stream_does_not_depend_on_when_its_shards_came() -> None:
    at_once = SampleOrder([30, 50, 20], seed=3, is_streamed=True)
    at_once.is_complete = True
    late = SampleOrder([30], seed=3, is_streamed=True)
    parts = [late.slice(0, 24)]
    late.add([50], is_complete=False)
    parts.append(late.slice(24, 48))
    late.add([20], is_complete=True)
    parts.append(late.slice(72, 128))
    assert torch.equal(at_once.slice(0, 200)[1], torch.cat([samples for _, samples in parts]))
    assert torch.equal(at_once.slice(0, 200)[0], torch.cat([epochs for epochs, _ in parts]))
    first = at_once.slice(0, 100)[1].tolist()
    assert sorted(first[:30]) == list(range(30)), "shard by shard, as they come"
    assert sorted(first) == list(range(100))


def test_a_stream_covers_what_is_there_and_everything_once_it_is_complete() -> None:
    order = SampleOrder([30], seed=3, is_streamed=True)
    assert order.covers(30)
    assert not order.covers(31)
    order.add([], is_complete=True)
    assert order.covers(1000)
