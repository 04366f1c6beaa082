"""Where text comes from: the embedded corpus and datasets of the Hugging Face hub, as documents of rows."""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from presets.schema import DataConfig

Report = Callable[[str, int, int, str], None]
"""Called as report(phase, done, total, unit); total is 0 while unknown."""

# Rows of these datasets are paragraphs; a row that matches begins a new document.
_DOCUMENT_STARTS = {"Salesforce/wikitext": re.compile(r"^ = [^=].*[^=] = \n?$")}


class DataError(ValueError):
    """Data that cannot be had or cannot be used; the text says which, and what to do."""


@dataclass(frozen=True)
class Corpus:
    """Documents as spans of rows; rows stay where they are and are read when asked for.

    row: gives the raw text of row i. spans: (D, 2) first row and end row of each document.
    """

    row: Callable[[int], str]
    spans: NDArray[np.int64]
    data: DataConfig

    def __len__(self) -> int:
        return len(self.spans)

    def document(self, index: int) -> list[str]:
        """The usable rows of one document, cleaned; empty when none is usable."""
        first, end = self.spans[index]
        cleaned = (clean(self.row(i), self.data.lowercase) for i in range(int(first), int(end)))
        return [text for text in cleaned if len(text.split()) >= max(1, self.data.min_words)]

    def documents(self, indices: Sequence[int] | NDArray[np.int64]) -> Iterator[list[str]]:
        """The usable rows of several documents, in the order asked for."""
        return (self.document(int(index)) for index in indices)


def clean(text: str, lowercase: bool) -> str:
    """A row without NUL bytes and lone surrogates, which no tokenizer takes; lower case if asked."""
    cleaned = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return cleaned.lower() if lowercase else cleaned


def open_corpus(data: DataConfig, report: Report) -> Corpus:
    """Find the text that a configuration names. Raises DataError, never another dataset."""
    if data.source == "embedded":
        return _limited(_embedded(data), data)
    return _limited(_hub(data, report), data)


def _embedded(data: DataConfig) -> Corpus:
    packed = resources.files("engine.data").joinpath(f"corpora/{data.dataset}.jsonl.xz").read_bytes()
    texts = [msgspec.json.decode(line)["text"] for line in lzma.decompress(packed).splitlines()]
    return Corpus(texts.__getitem__, _each_row(len(texts)), data)


def _hub(data: DataConfig, report: Report) -> Corpus:
    import datasets  # a second of import time that the embedded corpus need not pay

    name = f"{data.dataset} {data.dataset_config}".strip()
    report(f"fetching {name}", 0, 0, "rows")
    try:
        table = datasets.load_dataset(
            data.dataset, data.dataset_config or None, split=data.split, revision=data.revision
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name} could not be had from the hub: {error}. "
            "Check the name and the network, or train on the embedded corpus (--offline-corpus)."
        ) from error
    if data.text_column not in table.column_names:
        columns = ", ".join(table.column_names)
        raise DataError(f"{name} has no column {data.text_column!r}; its columns are {columns}")
    column = table.select_columns([data.text_column])

    def row(index: int) -> str:
        value: Any = column[index][data.text_column]
        return value if isinstance(value, str) else ""

    start = _DOCUMENT_STARTS.get(data.dataset)
    if start is None:
        return Corpus(row, _each_row(len(column)), data)
    firsts = [0]
    for batch_start in range(0, len(column), 10_000):
        texts = column[batch_start : batch_start + 10_000][data.text_column]
        firsts += [batch_start + i for i, text in enumerate(texts) if batch_start + i and start.match(text)]
        report("finding documents", batch_start + len(texts), len(column), "rows")
    edges = np.array([*firsts, len(column)], dtype=np.int64)
    return Corpus(row, np.stack([edges[:-1], edges[1:]], axis=1), data)


def _each_row(num_rows: int) -> NDArray[np.int64]:
    firsts = np.arange(num_rows, dtype=np.int64)
    return np.stack([firsts, firsts + 1], axis=1)


def _limited(corpus: Corpus, data: DataConfig) -> Corpus:
    """Keep whole documents, drawn by the split seed, until they hold `max_samples` rows.

    Drawn, not the first ones: many datasets are sorted (IMDB by label).
    """
    if not len(corpus):
        raise DataError(f"{data.dataset} has no rows in the split {data.split!r}")
    if not data.max_samples:
        return corpus
    order = np.random.Generator(np.random.Philox(data.split_seed)).permutation(len(corpus))
    sizes = (corpus.spans[:, 1] - corpus.spans[:, 0])[order]
    before = np.cumsum(sizes) - sizes
    chosen = np.sort(order[before < data.max_samples])
    return Corpus(corpus.row, corpus.spans[chosen], data)


def split_documents(corpus: Corpus, report: Report) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the training and of the validation documents; no document, nor a copy of one, is in both.

    A document's side follows from the hash of its text, so that copies fall together.
    Raises DataError when one side would be empty.
    """
    data = corpus.data
    salt = data.split_seed.to_bytes(8, "little")
    hashes = np.zeros(len(corpus), dtype=np.uint64)
    usable = np.zeros(len(corpus), dtype=bool)
    for index in range(len(corpus)):
        rows = corpus.document(index)
        usable[index] = bool(rows)
        digest = hashlib.blake2b("\n".join(rows).encode(), key=salt, digest_size=8).digest()
        hashes[index] = int.from_bytes(digest, "little")
        if index % 1000 == 999:
            report("reading documents", index + 1, len(corpus), "documents")
    kept = np.flatnonzero(usable)
    if not len(kept):
        raise DataError(f"{data.dataset} has no row with at least {data.min_words} words")
    ordered = np.sort(hashes[kept])
    threshold = ordered[max(1, round(len(kept) * data.validation_fraction)) - 1]
    in_validation = hashes[kept] <= threshold
    train, validation = kept[~in_validation], kept[in_validation]
    if not len(train):
        raise DataError(
            f"{data.dataset} has {len(kept)} usable documents, too few for a training and a validation split"
        )
    return train, validation
