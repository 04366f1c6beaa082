"""Which rows of a dataset belong together to one document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

# Rows of these datasets are paragraphs; a row that matches begins a new document.
DOCUMENT_STARTS = {"Salesforce/wikitext": re.compile(r"^ = [^=].*[^=] = \n?$")}


def each_row(num_rows: int) -> NDArray[np.int64]:
    """(num_rows, 2) spans of documents that have one row each."""
    firsts = np.arange(num_rows, dtype=np.int64)
    return np.stack([firsts, firsts + 1], axis=1)


def spans_from(firsts: Sequence[int], num_rows: int) -> NDArray[np.int64]:
    """(D, 2) spans of documents that begin at these rows; each ends where the next begins."""
    edges = np.array([*firsts, num_rows], dtype=np.int64)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def grouped(rows: Iterable[object], start: re.Pattern[str] | None) -> Iterator[list[object]]:
    """Rows of a stream as documents: each row alone, or all up to the next one that matches `start`."""
    if start is None:
        for row in rows:
            yield [row]
        return
    document: list[object] = []
    for row in rows:
        if document and isinstance(row, str) and start.match(row):
            yield document
            document = []
        document.append(row)
    if document:
        yield document
