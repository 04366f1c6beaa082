"""Documents of a dataset of the hub that is read as it arrives, without a copy of it on this disk."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from datasets import IterableDataset

from engine.data.documents import DocumentLabels, Report, Rows, SourceBroke, usable_rows
from engine.data.sources.hub_problems import HTTPError, reason
from engine.data.sources.problems import raise_if_stopped
from engine.data.sources.spans import DOCUMENT_STARTS, grouped
from presets.corpora import hub_id
from presets.schema import DataConfig

_BROKEN = (OSError, ValueError, RuntimeError, EOFError, zlib.error, HTTPError)
_SKIPPED_AT_ONCE = 100


@dataclass(frozen=True)
class StreamedDocuments:
    """A stream from its beginning; it is read anew, and skipped, for every `read`.

    rows: gives mappings that hold `data.text_column`, in the dataset's own order.
    report: told how many documents are skipped; what it raises ends the reading.
    """

    data: DataConfig
    rows: IterableDataset
    name: str
    commit: str
    num_documents: int | None = None
    words: tuple[str, ...] | None = None
    labels: DocumentLabels | None = None
    report: Report | None = None

    def read(self, first: int = 0) -> Iterator[Rows]:
        """Documents from number `first` on. Raises SourceBroke when the hub does."""
        documents = _limited(self._documents(), self.data.max_samples)
        self._skip(documents, first)
        for document in documents:
            yield usable_rows((row for row in document if isinstance(row, str)), self.data)

    def _skip(self, documents: Iterator[list[object]], count: int) -> None:
        for number in range(0, count, _SKIPPED_AT_ONCE):
            if self.report is not None:
                self.report("skipping what is cached", number, count, "documents")
            deque(islice(documents, min(_SKIPPED_AT_ONCE, count - number)), maxlen=0)
        if count and self.report is not None:
            self.report("skipping what is cached", count, count, "documents")

    def _documents(self) -> Iterator[list[object]]:
        start = DOCUMENT_STARTS.get(hub_id(self.data.dataset))
        rows = self.rows
        if not self.data.shuffle:
            return grouped(self._texts(rows), start)
        seed, size = self.data.split_seed, self.data.shuffle_buffer
        if start is not None:  # to mix rows or files would tear documents apart
            return _mixed(grouped(self._texts(rows), start), size, seed)
        # one file at a time: several are read by threads that take 5 s to end, also when a person stops the run
        mixed = rows.shuffle(seed=seed, buffer_size=size, max_buffer_input_shards=1)
        return grouped(self._texts(mixed), None)

    def _texts(self, rows: Iterable[Any]) -> Iterator[object]:
        count = 0
        try:
            for row in rows:
                yield row[self.data.text_column]
                count += 1
        except _BROKEN as error:
            raise_if_stopped(error)
            raise SourceBroke(
                f"{self.name} broke off after {count:,} rows: {reason(error)}. "
                "What is cached stays, and the next start continues there."
            ) from error


def _limited(documents: Iterator[list[object]], max_rows: int) -> Iterator[list[object]]:
    """Whole documents until they hold `max_rows` rows; 0 is all."""
    count = 0
    for document in documents:
        yield document
        count += len(document)
        if max_rows and count >= max_rows:  # looked at here, so that no further row is fetched
            return


def _mixed(documents: Iterator[list[object]], num_rows: int, seed: int) -> Iterator[list[object]]:
    """The same documents in an order drawn by the seed, with about `num_rows` rows of them in memory."""
    draw = np.random.Generator(np.random.Philox(seed))
    held: list[list[object]] = []
    held_rows = 0
    for document in documents:
        held.append(document)
        held_rows += len(document)
        while held_rows > num_rows:
            place = int(draw.integers(len(held)))
            held[place], held[-1] = held[-1], held[place]
            chosen = held.pop()
            held_rows -= len(chosen)
            yield chosen
    yield from (held[int(place)] for place in draw.permutation(len(held)))
