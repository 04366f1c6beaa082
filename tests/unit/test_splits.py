"""Training and validation documents are told apart by their text, and copies fall together."""

from __future__ import annotations

import random

import pytest

from engine.data.documents import DataError
from engine.data.splits import SeenHashes, counted_threshold, document_hash, stream_threshold
from presets.schema import DataConfig
from tests.documents import ListDocuments

DATA = DataConfig(validation_fraction=0.2)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody listens."""


def validation_of(texts: list[str], data: DataConfig = DATA) -> set[str]:
    documents = ListDocuments(texts, data)
    threshold = counted_threshold(documents, data, quiet)
    return {text for text in texts if document_hash([text.lower()], data.split_seed) <= threshold}


def test_exactly_the_share_that_is_asked_for_is_validation() -> None:
    texts = [f"document number {i} has some words in it" for i in range(100)]
    assert len(validation_of(texts)) == 20


def test_copies_count_once_for_the_share_and_fall_together() -> None:
    texts = [f"document number {i % 60} has some words in it" for i in range(120)]
    assert len(validation_of(texts)) == 12


def test_the_split_depends_on_the_split_seed_and_not_on_the_order() -> None:
    texts = [f"document number {i} has some words in it" for i in range(100)]
    shuffled = random.Random(0).sample(texts, 100)
    assert validation_of(texts) == validation_of(shuffled)
    assert validation_of(texts) != validation_of(texts, DataConfig(split_seed=7, validation_fraction=0.2))


def test_a_streams_threshold_takes_about_the_share_of_hashes() -> None:
    threshold = stream_threshold(0.2)
    taken = sum(document_hash([f"document {i}"], 42) <= threshold for i in range(5000))
    assert 900 < taken < 1100


def test_an_empty_dataset_and_one_of_a_single_document_are_refused_with_a_sentence() -> None:
    with pytest.raises(DataError, match="no row with at least 5 words"):
        counted_threshold(ListDocuments(["too short", "also"]), DATA, quiet)
    with pytest.raises(DataError, match="too few for a training and a validation split"):
        counted_threshold(ListDocuments(["a single document with enough words"]), DATA, quiet)
    with pytest.raises(DataError, match="1 of them different"):
        counted_threshold(ListDocuments(["the same document with enough words"] * 5), DATA, quiet)


def test_seen_hashes_know_each_number_once_also_over_many_runs() -> None:
    source = random.Random(2)
    numbers = [source.getrandbits(64) for _ in range(150_000)]
    seen = SeenHashes()
    assert all(seen.add(number) for number in numbers)
    assert not any(seen.add(number) for number in numbers[::1000])
