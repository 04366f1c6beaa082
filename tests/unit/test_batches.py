"""The order of samples, and how sequences are cut and framed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from engine.data.batches import SampleOrder, SequenceStore
from engine.data.token_cache import Split
from engine.data.tokenizers import CLS, PAD, SEP
from presets.schema import DataConfig


def split() -> Split:
    """Two documents: rows of 5 and 3 tokens, then one of 9; token ids above 32,767 among them."""
    tokens = np.arange(40_000, 40_017, dtype=np.uint16)
    return Split(tokens, np.array([0, 5, 8, 17]), np.array([0, 8, 17]))


def test_every_epoch_has_every_sample_once_and_an_order_of_its_own() -> None:
    order = SampleOrder(103, seed=3)
    epochs, samples = order.slice(0, 309)
    by_epoch = [samples[epochs == epoch] for epoch in range(3)]
    assert all(sorted(part.tolist()) == list(range(103)) for part in by_epoch)
    assert not torch.equal(by_epoch[0], by_epoch[1])


def test_batches_run_across_the_end_of_an_epoch_without_a_gap() -> None:
    whole = SampleOrder(10, seed=3).slice(0, 40)
    order = SampleOrder(10, seed=3)
    parts = [order.slice(first, 8) for first in range(0, 40, 8)]
    assert torch.equal(whole[1], torch.cat([samples for _, samples in parts]))
    assert torch.equal(whole[0], torch.cat([epochs for epochs, _ in parts]))


def test_a_place_in_the_stream_can_be_asked_for_in_any_order() -> None:
    straight, jumping = SampleOrder(10, seed=3), SampleOrder(10, seed=3)
    late = jumping.slice(95, 5)
    jumping.slice(3, 5)
    assert torch.equal(straight.slice(95, 5)[1], late[1])


def test_long_documents_are_split_into_windows_that_cover_every_token_once() -> None:
    data = DataConfig(sequence_length=8, long_documents="split")
    store = SequenceStore(split(), data, torch.device("cpu"))
    tokens, lengths = store.rows(torch.arange(len(store)))
    assert lengths.tolist() == [8, 4, 8, 5]
    words = [row[1 : length - 1].tolist() for row, length in zip(tokens, lengths.tolist(), strict=True)]
    assert [word for window in words for word in window] == list(range(40_000, 40_017))
    assert words[1] == [40_006, 40_007], "a window never runs into the next document"


def test_truncation_keeps_the_first_window_of_every_row() -> None:
    data = DataConfig(sequence_length=8, long_documents="truncate")
    store = SequenceStore(split(), data, torch.device("cpu"))
    tokens, lengths = store.rows(torch.arange(len(store)))
    assert lengths.tolist() == [7, 5, 8]
    assert tokens[1].tolist() == [CLS, 40_005, 40_006, 40_007, SEP, PAD, PAD, PAD]


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    store = SequenceStore(split(), DataConfig(sequence_length=8), torch.device("cpu"))
    together, _ = store.rows(torch.tensor([3, 0, 2]))
    alone, _ = store.rows(torch.tensor([2]))
    assert torch.equal(together[2], alone[0])
