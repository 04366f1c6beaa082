"""Labels: read with their names, kept in the token cache beside each document, handed out with each sequence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from engine.data import building, inspect
from engine.data.batches import SequenceStore
from engine.data.documents import DataError, Documents
from engine.data.sources import labels as label_source
from engine.data.sources import open_documents
from engine.data.token_cache import TokenCache, open_or_build
from engine.data.tokenizers import encode_rows
from presets.corpora import token_cache_key
from presets.schema import DataConfig
from runs.cache_listing import list_caches
from runs.cache_verification import verify
from runs.data_inspection import Request
from runs.folder import token_caches_dir
from runs.token_caches import cache_key, count_sequences
from tests.fakes.hub import LoopbackHub, use_own_caches
from tui.data_catalogue import resolve

WORDS = ["the", "film", "was", "seen", "by", "many", "people", "of", "the", "town", "and", "they", "spoke", "of"]
REVIEWS = [(f"review {i} says {' '.join(WORDS[: 3 + i % 9])}", i % 3) for i in range(90)]


@pytest.fixture(autouse=True)
def own_caches(monkeypatch: pytest.MonkeyPatch, isolated: None) -> None:
    """What `datasets` keeps of the files stays with the test."""
    use_own_caches(monkeypatch)


def quiet(phase: str, done: int, total: int, unit: str) -> None:
    """Nobody watches."""


def of_file(path: Path, **values: Any) -> DataConfig:
    values = {"min_words": 1, "tokenizer": "word", "vocab_size": 300, "long_documents": "truncate", **values}
    return DataConfig(source="files", dataset=str(path), **values)


def labelled(data: DataConfig) -> Documents:
    return open_documents(data, quiet, labelled=True)


def pairs(documents: Documents) -> list[tuple[str, str]]:
    """Text and name of the label of every document."""
    assert documents.labels is not None
    names = [documents.labels.names[code] for code in documents.labels.codes]
    return [(rows[0], name) for rows, name in zip(documents.read(), names, strict=True)]


def write_csv(path: Path, rows: list[tuple[str, Any]], header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *(f"{text},{label}" for text, label in rows)]) + "\n")
    return path


def with_class_names(rows: list[tuple[str, int]], names: list[str]) -> bytes:
    """A parquet file as the hub's datasets have it: the names of the classes are in its metadata."""
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    sink = io.BytesIO()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(sink)
    return sink.getvalue()


def test_every_kind_of_table_gives_its_labels(tmp_path: Path) -> None:
    kinds = ["bad", "fair", "good"]
    expected = [(text, kinds[label]) for text, label in REVIEWS]
    write_csv(tmp_path / "a.csv", expected)
    lines = [json.dumps({"text": text, "label": name}) for text, name in expected]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    table = pa.table({"text": [text for text, _ in expected], "label": [name for _, name in expected]})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "named.parquet").write_bytes(with_class_names(REVIEWS, kinds))
    for name in ("a.csv", "a.jsonl", "a.parquet", "named.parquet"):
        documents = labelled(of_file(tmp_path / name))
        assert documents.labels is not None and documents.labels.names == ("bad", "fair", "good"), name
        assert pairs(documents) == expected, name


def test_numbers_are_in_their_order_and_truth_values_have_names(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [(text, 10 - 5 * label) for text, label in REVIEWS])
    documents = labelled(of_file(tmp_path / "a.csv"))
    assert documents.labels is not None and documents.labels.names == ("0", "5", "10")
    rows = [{"text": text, "is_good": label == 2} for text, label in REVIEWS]
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    documents = labelled(of_file(tmp_path / "b.jsonl", label_column="is_good"))
    assert documents.labels is not None and documents.labels.names == ("false", "true")
    assert pairs(documents)[2][1] == "true"


def test_rows_without_a_label_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [(text, ("good", "bad", "", " ")[number % 4]) for number, (text, _) in enumerate(REVIEWS)]
    documents = labelled(of_file(write_csv(tmp_path / "a.csv", rows)))
    assert documents.labels is not None and documents.labels.num_unlabelled == 44
    assert pairs(documents) == [(text, label) for text, label in rows if label in ("good", "bad")]
    table = pa.table({"text": [t for t, _ in REVIEWS], "label": pa.array([0, 1, None] * 30, type=pa.int64())})
    pq.write_table(table, tmp_path / "a.parquet")
    found = labelled(of_file(tmp_path / "a.parquet")).labels
    assert found is not None and found.num_unlabelled == 30 and found.names == ("0", "1")


def test_minus_one_is_a_class_where_no_names_say_otherwise(tmp_path: Path) -> None:
    documents = labelled(of_file(write_csv(tmp_path / "a.csv", [(text, label - 1) for text, label in REVIEWS])))
    assert documents.labels is not None and documents.labels.names == ("-1", "0", "1")
    assert documents.labels.num_unlabelled == 0


def test_labels_that_only_look_like_numbers_are_words(tmp_path: Path) -> None:
    odd = ["--5", "7" * 5000, "12"]
    rows = [{"text": text, "label": odd[label]} for text, label in REVIEWS]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    documents = labelled(of_file(tmp_path / "a.jsonl"))
    assert documents.labels is not None and documents.labels.names == ("12", "--5", "7" * 5000)


@pytest.mark.parametrize(
    ("rows", "values", "said"),
    [
        (
            [("one two", 1), ("three", 2)],
            {"label_column": "sentiment"},
            "no column 'sentiment'; its columns are text",
        ),
        ([("one two", "x"), ("three", "x")], {}, "all 2 rows that are read have the label 'x'"),
        ([("one two", " "), ("three", "")], {}, "none of 2 rows has a label in column 'label'"),
    ],
)
def test_what_cannot_be_classified_is_said(
    tmp_path: Path, rows: list[tuple[str, Any]], values: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        labelled(of_file(write_csv(tmp_path / "a.csv", rows), **values))


def test_a_column_that_holds_no_classes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"text": t, "label": i / 7}) for i, (t, _) in enumerate(REVIEWS))
    )
    with pytest.raises(DataError, match=r"'label' holds values such as 0\.142857"):
        labelled(of_file(tmp_path / "a.jsonl"))
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps({"text": t, "label": [1, 2]}) for t, _ in REVIEWS))
    with pytest.raises(DataError, match=r"such as \[1, 2\], which are no classes"):
        labelled(of_file(tmp_path / "b.jsonl"))
    monkeypatch.setattr(label_source, "_MOST_CLASSES", 5)
    with pytest.raises(DataError, match=r"90 different values.*at most 5 classes.*right data\.label_column"):
        labelled(of_file(write_csv(tmp_path / "c.csv", [(text, f"n{i}") for i, (text, _) in enumerate(REVIEWS)])))
    (tmp_path / "named.parquet").write_bytes(with_class_names(REVIEWS, [f"class {i}" for i in range(6)]))
    with pytest.raises(DataError, match=r"6 different values, such as 'class 0'.*at most 5 classes"):
        labelled(of_file(tmp_path / "named.parquet"))
    (tmp_path / "d.txt").write_text("a text without a label\n")
    with pytest.raises(DataError, match="text files have no labels"):
        labelled(of_file(tmp_path / "d.txt"))
    with pytest.raises(DataError, match="'addresses' has no labels"):
        labelled(DataConfig())


def test_the_hubs_names_of_the_classes_are_taken(hub: LoopbackHub) -> None:
    for path, rows in (("train", REVIEWS[:60]), ("test", [(text, -1) for text, _ in REVIEWS[60:]])):
        hub.add_file(
            "dataset",
            "someone/news",
            f"data/{path}-00000.parquet",
            with_class_names(rows, ["World", "Sports", "Tech"]),
        )
    data = DataConfig(source="hub", dataset="someone/news", min_words=1, lowercase=False)
    documents = labelled(data)
    assert pairs(documents) == [(text, ["World", "Sports", "Tech"][label]) for text, label in REVIEWS[:60]]
    drawn = labelled(DataConfig(**{**{f: getattr(data, f) for f in data.__struct_fields__}, "max_samples": 20}))
    assert len(pairs(drawn)) == 20 and set(pairs(drawn)) < set(pairs(documents))
    with pytest.raises(
        DataError, match="none of 30 rows has a label in column 'label' in the split 'test'; choose"
    ):
        labelled(DataConfig(source="hub", dataset="someone/news", split="test"))
    with pytest.raises(DataError, match=r"no column 'topic'.*text, label"):
        labelled(DataConfig(source="hub", dataset="someone/news", label_column="topic"))
    with pytest.raises(DataError, match=r"choose data\.access=download"):
        labelled(DataConfig(source="hub", dataset="someone/news", access="stream"))


def sequences_of(cache: TokenCache, data: DataConfig) -> list[tuple[tuple[int, ...], str]]:
    """Tokens and label of every sequence of both splits."""
    found = []
    for name in ("train", "validation"):
        store = SequenceStore((getattr(shard, name) for shard in cache.shards), data, torch.device("cpu"))
        assert store.labels is not None and len(store.labels) == len(store)
        tokens, lengths, _ = store.rows(torch.arange(len(store)))
        for row, length, label in zip(tokens.tolist(), lengths.tolist(), store.labels.tolist(), strict=True):
            found.append((tuple(row[1 : length - 1]), cache.labels[label]))
    return found


def test_each_sequence_keeps_its_documents_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "SHARD_TOKENS", 200)
    monkeypatch.setattr(building, "_BATCH_DOCUMENTS", 8)
    rows = [(text, "abc"[label]) for text, label in REVIEWS]
    data = of_file(write_csv(tmp_path / "a.csv", [("", "a"), *rows[:40], rows[3], *rows[40:]]), sequence_length=10)
    cache = open_or_build(data, token_caches_dir(), quiet, labelled=True)
    assert len(cache.shards) > 2 and cache.labels == ("a", "b", "c")
    ids = encode_rows(cache.tokenizer, [text for text, _ in rows])
    expected = [(tuple(tokens[:8]), label) for tokens, (_, label) in zip(ids, rows, strict=True)]
    assert sorted(sequences_of(cache, data)) == sorted(expected), "the empty row and the copy are left out"
    assert verify(cache.source.key).is_intact
    counts = count_sequences(data, labelled=True)
    assert counts is not None and counts.train_rows == cache.train.documents
    labels = token_caches_dir() / cache.source.key / "shard-00001" / "train.labels.npy"
    labels.write_bytes(labels.read_bytes()[:-8] + bytes(8))
    assert not verify(cache.source.key).is_intact
    again = open_or_build(data, token_caches_dir(), quiet, labelled=True)
    assert sorted(sequences_of(again, data)) == sorted(expected), "damage is noticed and built anew"


def test_a_label_column_changes_nothing_for_text_that_is_read_without_labels(tmp_path: Path) -> None:
    assert token_cache_key(DataConfig()) == "7d98cf4e24c9160a", "caches of earlier versions are found again"
    data = of_file(write_csv(tmp_path / "a.csv", REVIEWS))
    other = of_file(tmp_path / "a.csv", label_column="other")
    assert cache_key(data) == cache_key(other)
    assert len({cache_key(data), cache_key(data, labelled=True), cache_key(other, labelled=True)}) == 3
    cache = open_or_build(data, token_caches_dir(), quiet)
    assert cache.labels == () and not list((token_caches_dir() / cache.source.key).rglob("*.labels.npy"))
    store = SequenceStore((shard.train for shard in cache.shards), data, torch.device("cpu"))
    assert store.labels is None


def test_a_cache_that_is_built_ahead_for_a_labelled_preset_has_its_labels(tmp_path: Path) -> None:
    assert resolve("sst2", (), ()).labelled and not resolve("quickstart", (), ()).labelled
    data = of_file(write_csv(tmp_path / "a.csv", [(text, "abc"[label]) for text, label in REVIEWS]))
    built = inspect.build(Request(data, build=True, labelled=True), lambda answer: None)
    assert built.key == cache_key(data, labelled=True) and not built.was_there
    (info,) = list_caches()
    assert info.labels == ("a", "b", "c")
    assert open_or_build(data, token_caches_dir(), quiet, labelled=True).source.key == built.key
