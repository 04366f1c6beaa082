"""The token cache on real text: split by document, built once, damage noticed."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from engine.data.sources import Corpus, DataError, clean, open_corpus, split_documents
from engine.data.token_cache import TokenCache, open_or_build
from engine.data.tokenizers import MASK, UNK, encode_probe, encode_rows
from presets.corpora import token_cache_key
from presets.estimate import TokenCounts
from presets.schema import DataConfig
from runs.folder import token_caches_dir
from runs.token_caches import count_sequences

DATA = DataConfig(tokenizer="word", vocab_size=500, max_samples=20, validation_fraction=0.2)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody listens."""


def corpus_of(texts: list[str], data: DataConfig = DATA) -> Corpus:
    spans = np.array([[i, i + 1] for i in range(len(texts))])
    return Corpus(texts.__getitem__, spans, data)


def test_the_embedded_corpus_has_its_233_documents_and_1_79_million_words() -> None:
    corpus = open_corpus(DataConfig(), quiet)
    assert len(corpus) == 233
    words = sum(len(row.split()) for rows in corpus.documents(range(233)) for row in rows)
    assert round(words / 1e6, 2) == 1.79


def test_no_document_and_no_copy_of_one_is_in_both_splits() -> None:
    texts = [f"document number {i % 60} has some words in it" for i in range(120)]
    corpus = corpus_of(texts)
    train, validation = split_documents(corpus, quiet)
    assert len(train) + len(validation) == 120
    assert not {texts[i] for i in train} & {texts[i] for i in validation}


def test_the_split_depends_on_the_split_seed_and_on_nothing_else() -> None:
    texts = [f"document number {i} has some words in it" for i in range(100)]
    first = split_documents(corpus_of(texts), quiet)[1]
    again = split_documents(corpus_of(texts), quiet)[1]
    other = split_documents(corpus_of(texts, DataConfig(split_seed=7, validation_fraction=0.2)), quiet)[1]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_cache_holds_exactly_what_its_tokenizer_makes_of_the_documents(tmp_path: Path) -> None:
    cache = open_or_build(DATA, tmp_path, quiet)
    corpus = open_corpus(DATA, quiet)
    train, _ = split_documents(corpus, quiet)
    rows = [row for rows in corpus.documents(train) for row in rows]
    ids = [token for encoded in encode_rows(cache.tokenizer, rows) for token in encoded]
    assert cache.train.tokens.tolist() == ids
    assert cache.token_counts.tolist() == np.bincount(ids, minlength=500).tolist()
    assert cache.manifest.train.unknown == cache.token_counts[UNK]
    assert cache.manifest.vocab_size == 500


def test_how_sequences_are_cut_does_not_change_the_cache_but_the_text_does() -> None:
    key = token_cache_key(DATA)
    assert key == token_cache_key(
        DataConfig(**{**_fields(DATA), "sequence_length": 64, "long_documents": "truncate"})
    )
    assert key != token_cache_key(DataConfig(**{**_fields(DATA), "lowercase": False}))


def _fields(data: DataConfig) -> dict[str, object]:
    return {name: getattr(data, name) for name in data.__struct_fields__}


@pytest.mark.parametrize("damaged", ["train.tokens", "validation.rows.npy", "tokenizer.json", "manifest.json"])
def test_a_damaged_cache_is_noticed_named_and_rebuilt(tmp_path: Path, damaged: str) -> None:
    first = open_or_build(DATA, tmp_path, quiet)
    tokens = first.train.tokens.tolist()
    path = tmp_path / first.manifest.key / damaged
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    phases: list[str] = []
    again = open_or_build(DATA, tmp_path, lambda phase, done, total, unit: phases.append(phase))
    assert "damaged" in phases[0]
    assert again.train.tokens.tolist() == tokens


def test_a_half_built_cache_of_a_killed_process_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    building = tmp_path / f"{token_cache_key(DATA)}.building"
    building.mkdir(parents=True)
    (building / "train.tokens").write_bytes(b"half")
    assert open_or_build(DATA, tmp_path, quiet).manifest.train.tokens > 1000
    assert not building.exists()


def _build(caches: str, queue: multiprocessing.Queue[bool]) -> None:
    phases: list[str] = []
    open_or_build(DATA, Path(caches), lambda phase, done, total, unit: phases.append(phase))
    queue.put("tokenising" in phases)


def test_two_processes_that_ask_at_once_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_build, args=(str(tmp_path), queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    built = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(built) == 1


def test_a_mask_in_the_data_is_plain_text_and_a_mask_in_a_probe_is_the_mask(tmp_path: Path) -> None:
    tokenizer = open_or_build(DATA, tmp_path, quiet).tokenizer
    assert MASK not in encode_rows(tokenizer, ["the [MASK] of the people"])[0]
    assert encode_probe(tokenizer, "the [MASK] of the people")[1] == MASK


def test_nul_bytes_and_lone_surrogates_are_cleaned_away() -> None:
    assert clean("A\x00b \ud800 C", lowercase=True) == "ab ? c"


def test_an_empty_dataset_and_one_of_a_single_document_are_refused_with_a_sentence() -> None:
    with pytest.raises(DataError, match="no row with at least 5 words"):
        split_documents(corpus_of(["too short", "also"]), quiet)
    with pytest.raises(DataError, match="too few"):
        split_documents(corpus_of(["a single document with enough words"]), quiet)


def test_a_vocabulary_larger_than_the_corpus_is_as_large_as_the_corpus_allows(tmp_path: Path) -> None:
    large = DataConfig(tokenizer="word", vocab_size=60_000, max_samples=5, validation_fraction=0.3)
    cache: TokenCache = open_or_build(large, tmp_path, quiet)
    assert 1000 < cache.manifest.vocab_size < 60_000


@pytest.mark.parametrize("policy", ["split", "truncate"])
def test_the_plan_counts_exactly_the_sequences_that_are_trained_on(policy: str) -> None:
    data = DataConfig(**{**_fields(DATA), "long_documents": policy, "sequence_length": 32})
    assert count_sequences(data) is None, "nothing is cached yet"
    cache = open_or_build(data, token_caches_dir(), quiet)
    _, lengths = cache.train.sequences(data)
    assert count_sequences(data) == TokenCounts(len(lengths), int(lengths.sum()) + 2 * len(lengths))
    manifest = token_caches_dir() / cache.manifest.key / "manifest.json"
    manifest.write_bytes(b"\xb1 not JSON")
    assert count_sequences(data) is None
