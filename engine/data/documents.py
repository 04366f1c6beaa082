"""What every source of text looks like from the outside: documents of cleaned rows, in an order that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from presets.schema import DataConfig

Report = Callable[[str, int, int, str], None]
"""Called as report(phase, done, total, unit); total is 0 while unknown."""

Rows = list[str]
"""The usable rows of one document, cleaned (see `clean`); empty when none is usable."""


class DataError(ValueError):
    """Data that cannot be had or cannot be used; the text says which, and what to do."""


class SourceBroke(DataError):
    """A source that could be read so far, and cannot be read now; trying again later may help."""


@dataclass(frozen=True)
class DocumentLabels:
    """names: of the classes. codes: (D,) which of them each document is of. num_unlabelled: rows left out."""

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    num_unlabelled: int = 0


class Documents(Protocol):
    """One source of text, opened.

    Reading twice gives the same documents in the same order (for a stream: while `commit` is the same), so that a
    cache that was half built is continued, and a document's number is a name for it.
    """

    @property
    def data(self) -> DataConfig:
        """The settings it was opened with."""
        ...

    @property
    def commit(self) -> str:
        """The revision of a hub dataset as a commit hash; empty where there is none or it could not be learned."""
        ...

    @property
    def num_documents(self) -> int | None:
        """How many there are; None for a stream, whose end is not known before it is read."""
        ...

    @property
    def words(self) -> tuple[str, ...] | None:
        """The whole vocabulary in token order where it is known beforehand (grammars), else None."""
        ...

    @property
    def labels(self) -> DocumentLabels | None:
        """Of a source that was opened for its labels: those of its documents, which have one row each."""
        ...

    def read(self, first: int = 0) -> Iterator[Rows]:
        """Documents from number `first` on. Raises SourceBroke when the source breaks off half-way."""
        ...


def clean(text: str, lowercase: bool) -> str:
    """A row without NUL bytes and lone surrogates, which no tokenizer takes; lower case if asked."""
    cleaned = text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    return cleaned.lower() if lowercase else cleaned


def usable_rows(rows: Iterator[str], data: DataConfig) -> Rows:
    """The rows of one document that are long enough, cleaned."""
    cleaned = (clean(row, data.lowercase) for row in rows)
    return [row for row in cleaned if len(row.split()) >= max(1, data.min_words)]
