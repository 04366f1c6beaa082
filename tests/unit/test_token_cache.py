"""The token cache: split by document, built once, continued where it broke off, damage noticed."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from engine.data import building
from engine.data.documents import DataError, SourceBroke, clean
from engine.data.encoding import pieces
from engine.data.shards import Shard, Split
from engine.data.sources import open_documents
from engine.data.token_cache import TokenCache, open_cache, open_or_build
from engine.data.tokenizers import MASK, UNK, encode_probe, encode_rows
from presets.estimate import TokenCounts
from presets.schema import DataConfig
from runs.cache_format import CacheManifest
from runs.folder import read_struct, token_caches_dir
from runs.token_caches import cache_key, count_sequences
from tests.documents import ListDocuments

DATA = DataConfig(tokenizer="word", vocab_size=500, max_samples=20, validation_fraction=0.2)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody listens."""


def texts(count: int) -> list[str]:
    return [f"document number {i} has {'many ' * (i % 7)}words in it" for i in range(count)]


def use(monkeypatch: pytest.MonkeyPatch, documents: ListDocuments) -> ListDocuments:
    """Let the build read these documents."""
    monkeypatch.setattr(building, "open_documents", lambda data, report, commit="", labelled=False: documents)
    return documents


def small_shards(monkeypatch: pytest.MonkeyPatch, tokens: int = 300) -> None:
    monkeypatch.setattr(building, "SHARD_TOKENS", tokens)
    monkeypatch.setattr(building, "_BATCH_DOCUMENTS", 16)


def tokens_of(cache: TokenCache) -> list[list[int]]:
    return [getattr(shard, name).tokens.tolist() for shard in cache.shards for name in ("train", "validation")]


def documents_of(split: Split) -> list[tuple[int, ...]]:
    edges = split.documents.tolist()
    return [tuple(split.tokens[a:b].tolist()) for a, b in itertools.pairwise(edges)]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file of a cache that must not depend on how it came about."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("source.json", "manifest.json")
    }


def test_the_embedded_corpus_has_its_233_documents_and_1_79_million_words() -> None:
    documents = list(open_documents(DataConfig(), quiet).read())
    assert len(documents) == 233
    assert round(sum(len(row.split()) for rows in documents for row in rows) / 1e6, 2) == 1.79


def test_a_cache_holds_exactly_what_its_tokenizer_makes_of_the_documents(tmp_path: Path) -> None:
    cache = open_or_build(DATA, tmp_path, quiet)
    rows = [rows for rows in open_documents(DATA, quiet).read() if rows]
    ids = [list(itertools.chain.from_iterable(encode_rows(cache.tokenizer, document))) for document in rows]
    (shard,) = cache.shards
    in_train, in_validation = documents_of(shard.train), documents_of(shard.validation)
    assert len(in_validation) == 4
    assert sorted(in_train + in_validation) == sorted(tuple(document) for document in ids)
    counts = np.bincount([token for document in in_train for token in document], minlength=500)
    assert cache.token_counts.tolist() == counts.tolist()
    assert cache.train.unknown == cache.token_counts[UNK]
    assert (
        cache.train.words
        == sum(len(row.split()) for document in rows for row in document) - cache.validation.words
    )
    assert cache.vocab_size == 500


def test_no_document_and_no_copy_of_one_is_in_both_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2, deduplicate=False)
    use(monkeypatch, ListDocuments(texts(60) * 2, data))
    (shard,) = open_or_build(data, tmp_path, quiet).shards
    train, validation = documents_of(shard.train), documents_of(shard.validation)
    assert len(train) + len(validation) == 120
    assert not set(train) & set(validation)


def test_copies_are_left_out_and_counted_also_across_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(60) * 2, data))
    cache = open_or_build(data, tmp_path, quiet)
    assert cache.train.documents + cache.validation.documents == 60
    manifest = read_struct(tmp_path / cache.source.key / "manifest.json", CacheManifest)
    assert manifest is not None
    assert manifest.num_duplicates == 60


def test_a_build_that_broke_off_goes_on_with_the_next_document_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(200), data))
    whole = open_or_build(data, tmp_path / "whole", quiet)
    assert len(whole.shards) > 3

    folder = tmp_path / "broken" / whole.source.key
    breaking = use(monkeypatch, ListDocuments(texts(200), data))
    breaking.num_read = 0
    monkeypatch.setattr(breaking, "breaks_at", None)
    real_read = breaking.read
    reads = iter([None, None, 100])  # the passes for split and tokenizer, then the encoding, which breaks off

    def read(first: int = 0):  # type: ignore[no-untyped-def]
        breaking.breaks_at = next(reads, None)
        return real_read(first)

    monkeypatch.setattr(breaking, "read", read)
    with pytest.raises(SourceBroke, match="row 100"):
        open_or_build(data, tmp_path / "broken", quiet)
    kept = sorted(path.name for path in folder.glob("shard-*"))
    assert kept, "whole shards stay"
    assert not list(folder.glob("*.building"))

    again = use(monkeypatch, ListDocuments(texts(200), data))
    resumed = open_or_build(data, tmp_path / "broken", quiet)
    assert again.num_read < 200, "what is in whole shards is not read again"
    assert tokens_of(resumed) == tokens_of(whole)
    assert bytes_of(folder) == bytes_of(tmp_path / "whole" / whole.source.key)


def test_how_sequences_are_cut_does_not_change_the_cache_but_the_text_does() -> None:
    key = cache_key(DATA)
    assert key == cache_key(_with(sequence_length=64, long_documents="truncate", stream_patience=1))
    for change in (
        {"lowercase": False}, {"min_words": 6}, {"deduplicate": False}, {"vocab_size": 501}, {"split_seed": 1},
        {"tokenizer": "bpe"}, {"max_samples": 21}, {"shuffle": False}, {"validation_fraction": 0.3},
    ):  # fmt: skip
        assert key != cache_key(_with(**change)), change


def test_the_cache_of_a_file_follows_its_content(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("one\n")
    data = _with(source="files", dataset=str(path))
    before = cache_key(data)
    path.write_text("one and two\n")
    assert cache_key(data) != before


def _with(**changes: object) -> DataConfig:
    return DataConfig(**{**{name: getattr(DATA, name) for name in DATA.__struct_fields__}, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damaged",
    ["shard-00001/train.tokens", "shard-00001/validation.rows.npy", "shard-00000/shard.json", "tokenizer.json",
     "source.json", "manifest.json"],
)  # fmt: skip
def test_a_damaged_cache_is_noticed_named_and_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(120), data))
    first = open_or_build(data, tmp_path, quiet)
    tokens = tokens_of(first)
    path = tmp_path / first.source.key / damaged
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    phases: list[str] = []
    again = open_or_build(data, tmp_path, lambda phase, done, total, unit: phases.append(phase))
    assert damaged in phases[0]
    assert tokens_of(again) == tokens
    assert again.is_complete


def test_a_single_altered_byte_is_noticed(tmp_path: Path) -> None:
    cache = open_or_build(DATA, tmp_path, quiet)
    path = tmp_path / cache.source.key / "shard-00000" / "train.tokens"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    phases: list[str] = []
    open_or_build(DATA, tmp_path, lambda phase, done, total, unit: phases.append(phase))
    assert "shard-00000/train.tokens was altered" in phases[0]


def test_a_shard_that_was_being_written_when_its_process_was_killed_is_not_taken_for_a_whole_one(
    tmp_path: Path,
) -> None:
    half = tmp_path / cache_key(DATA) / "shard-00000.building"
    half.mkdir(parents=True)
    (half / "train.tokens").write_bytes(b"half")
    assert open_or_build(DATA, tmp_path, quiet).train.tokens > 1000
    assert not half.exists()


def _build(caches: str, queue: multiprocessing.Queue[bool]) -> None:
    phases: list[str] = []
    open_or_build(DATA, Path(caches), lambda phase, done, total, unit: phases.append(phase))
    queue.put("tokenising" in phases)


def test_several_processes_that_ask_at_once_build_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_build, args=(str(tmp_path), queue)) for _ in range(3)]
    for worker in workers:
        worker.start()
    built = [queue.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(built) == 1


def _build_with_little_disk(caches: str, limit: int, queue: multiprocessing.Queue[str]) -> None:
    """Files larger than `limit` bytes cannot be written, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        open_or_build(DATA, Path(caches), quiet)
    except DataError as error:
        queue.put(str(error))
    except OSError as error:
        queue.put(f"bare {errno.errorcode[error.errno or 0]}")
    else:
        queue.put("no error")


def test_a_full_disk_is_said_in_a_sentence_and_leaves_no_half_shard(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    worker = context.Process(target=_build_with_little_disk, args=(str(tmp_path), 50_000, queue))
    worker.start()
    message = queue.get(timeout=60)
    worker.join()
    assert message.startswith("the disk is full"), message
    assert "data clear" in message
    assert not list(tmp_path.rglob("*.building"))
    assert open_or_build(DATA, tmp_path, quiet).is_complete, "with room again it is built"


def test_a_mask_in_the_data_is_plain_text_and_a_mask_in_a_probe_is_the_mask(tmp_path: Path) -> None:
    tokenizer = open_or_build(DATA, tmp_path, quiet).tokenizer
    assert MASK not in encode_rows(tokenizer, ["the [MASK] of the people"])[0]
    assert encode_probe(tokenizer, "the [MASK] of the people")[1] == MASK


def test_nul_bytes_and_lone_surrogates_are_cleaned_away() -> None:
    assert clean("A\x00b \ud800 C", lowercase=True) == "ab ? c"


def test_one_enormous_document_is_cut_into_pieces_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "some words that go on and on " * 20_000
    assert "".join(pieces(long)) == long
    assert max(map(len, pieces(long))) <= 20_000
    data = DataConfig(tokenizer="wordpiece", vocab_size=100, validation_fraction=0.4)
    use(monkeypatch, ListDocuments([long, *texts(3)], data))
    cache = open_or_build(data, tmp_path, quiet)
    sizes = [len(document) for shard in cache.shards for document in documents_of(shard.train)]
    sizes += [len(document) for shard in cache.shards for document in documents_of(shard.validation)]
    assert max(sizes) == len(encode_rows(cache.tokenizer, [long.lower()])[0])


def test_a_word_without_white_space_of_any_length_is_cut_too() -> None:
    assert "".join(pieces("x" * 70_000)) == "x" * 70_000


def test_a_vocabulary_larger_than_the_corpus_is_as_large_as_the_corpus_allows(tmp_path: Path) -> None:
    large = DataConfig(tokenizer="word", vocab_size=60_000, max_samples=5, validation_fraction=0.3)
    assert 1000 < open_or_build(large, tmp_path, quiet).vocab_size < 60_000


def test_a_vocabulary_over_65_536_is_kept_in_four_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataConfig(tokenizer="word", vocab_size=80_000, validation_fraction=0.1, min_words=1)
    many = [" ".join(f"w{i}x{j}" for j in range(100)) for i in range(800)]
    use(monkeypatch, ListDocuments(many, data))
    cache = open_or_build(data, tmp_path, quiet)
    assert cache.vocab_size > 65_536
    (shard,) = open_cache(tmp_path / cache.source.key).shards
    assert shard.train.tokens.dtype == np.uint32
    assert int(shard.train.tokens.max()) > 65_536
    assert len(documents_of(shard.train)) + len(documents_of(shard.validation)) == 800


def test_the_statistics_are_those_of_the_training_split(tmp_path: Path) -> None:
    cache: TokenCache = open_or_build(DATA, tmp_path, quiet)
    manifest = read_struct(tmp_path / cache.source.key / "manifest.json", CacheManifest)
    assert manifest is not None
    statistics = manifest.statistics
    (shard,) = cache.shards
    assert sum(number for _, number in statistics.lengths) == cache.train.documents
    assert statistics.vocabulary_used == np.count_nonzero(cache.token_counts)
    token, count = statistics.head[0]
    assert cache.token_counts[cache.tokenizer.token_to_id(token)] == count == cache.token_counts.max()
    assert [one.tokens for one in statistics.longest] == sorted(_sizes(shard), reverse=True)[:5]


def _sizes(shard: Shard) -> list[int]:
    return [len(document) for document in documents_of(shard.train)]


@pytest.mark.parametrize("policy", ["split", "truncate"])
def test_the_plan_counts_exactly_the_sequences_that_are_trained_on(policy: str) -> None:
    data = _with(long_documents=policy, sequence_length=32)
    assert count_sequences(data) is None, "nothing is cached yet"
    cache = open_or_build(data, token_caches_dir(), quiet)
    lengths = np.concatenate([shard.train.sequences(data)[1] for shard in cache.shards])
    assert count_sequences(data) == TokenCounts(len(lengths), int(lengths.sum()) + 2 * len(lengths))
    manifest = token_caches_dir() / cache.source.key / "manifest.json"
    manifest.write_bytes(b"\xb1 not JSON")
    assert count_sequences(data) is None


def test_a_manifest_without_anything_else_is_no_cache(tmp_path: Path) -> None:
    """What is left when a cache is killed while it is being removed."""
    folder = tmp_path / cache_key(DATA)
    open_or_build(DATA, tmp_path, quiet)
    for path in folder.iterdir():
        if path.name != "manifest.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert open_or_build(DATA, tmp_path, quiet).is_complete


@pytest.mark.parametrize("also_missing", ["manifest.json", ""])
def test_a_gap_between_shards_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, also_missing: str
) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(120), data))
    first = open_or_build(data, tmp_path, quiet)
    tokens, folder = tokens_of(first), tmp_path / first.source.key
    shutil.rmtree(folder / "shard-00001")
    if also_missing:
        (folder / also_missing).unlink()
    phases: list[str] = []
    again = open_or_build(data, tmp_path, lambda phase, done, total, unit: phases.append(phase))
    assert "shard-00001 is missing" in phases[0]
    assert tokens_of(again) == tokens


def test_an_unreadable_manifest_costs_no_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(120), data))
    cache = open_or_build(data, tmp_path, quiet)
    (tmp_path / cache.source.key / "manifest.json").write_bytes(b"{")
    again = use(monkeypatch, ListDocuments(texts(120), data))
    assert open_or_build(data, tmp_path, quiet).is_complete
    assert again.num_read == 0, "nothing is read again"


def test_a_build_ends_early_when_enough_is_there_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataConfig(tokenizer="word", validation_fraction=0.2)
    small_shards(monkeypatch)
    use(monkeypatch, ListDocuments(texts(200), data))
    key = cache_key(data)
    building.build(data, key, tmp_path / key, quiet, num_sequences=30)
    half = open_cache(tmp_path / key)
    assert not half.is_complete
    assert 30 <= sum(len(shard.train.sequences(data)[0]) for shard in half.shards) < 100
    assert open_or_build(data, tmp_path, quiet).train.documents + half.validation.documents > 100


def test_a_cache_built_again_has_the_same_fingerprint_and_other_text_another(tmp_path: Path) -> None:
    first = open_or_build(DATA, tmp_path / "a", quiet).fingerprint
    assert open_or_build(DATA, tmp_path / "b", quiet).fingerprint == first
    assert open_or_build(_with(max_samples=19), tmp_path / "a", quiet).fingerprint != first


def test_an_existing_tokenizer_is_known_by_its_content_not_by_its_place(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text("{}")
    keys = {
        cache_key(_with(tokenizer="existing", tokenizer_from=str(tmp_path / n))) for n in ("one.json", "two.json")
    }
    assert len(keys) == 1
    (tmp_path / "two.json").write_text('{"a": 1}')
    assert cache_key(_with(tokenizer="existing", tokenizer_from=str(tmp_path / "two.json"))) not in keys
