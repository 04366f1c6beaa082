"""Documents whose rows lie on this disk or in memory, so that any of them can be read at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data.documents import DataError, DocumentLabels, Rows, usable_rows
from presets.schema import DataConfig

RowTexts = Callable[[NDArray[np.int64]], Sequence[Any]]
"""Called with the numbers of rows, (R,) rising; gives their texts in the same order. What is no text is no row."""

_ROWS_AT_ONCE = 1000  # reading rows one at a time costs ten times as much


@dataclass(frozen=True)
class StoredDocuments:
    """Documents as spans of rows; rows stay where they are and are read when asked for.

    spans: (D, 2) first row and end row of each document, rising.
    """

    data: DataConfig
    row_texts: RowTexts
    spans: NDArray[np.int64]
    commit: str = ""
    words: tuple[str, ...] | None = None
    labels: DocumentLabels | None = None

    @property
    def num_documents(self) -> int:
        """All of them, those without a usable row too."""
        return len(self.spans)

    def read(self, first: int = 0) -> Iterator[Rows]:
        """Documents from number `first` on."""
        sizes = self.spans[:, 1] - self.spans[:, 0]
        while first < len(self.spans):
            ahead = np.cumsum(sizes[first : first + _ROWS_AT_ONCE])
            end = first + max(1, int(np.searchsorted(ahead, _ROWS_AT_ONCE, side="right")))
            rows = np.concatenate([np.arange(start, stop) for start, stop in self.spans[first:end]])
            texts = iter(self.row_texts(rows))
            for size in sizes[first:end]:
                document = [next(texts) for _ in range(int(size))]
                yield usable_rows((text for text in document if isinstance(text, str)), self.data)
            first = end


def limited(spans: NDArray[np.int64], data: DataConfig, name: str) -> NDArray[np.int64]:
    """Whole documents until they hold `max_samples` rows: drawn by the split seed, or the first ones.

    Drawn is the rule, since many datasets are sorted (IMDB by label). Raises DataError when there is no row.
    """
    if not len(spans):
        raise DataError(f"{name} has no rows")
    if not data.max_samples:
        return spans
    order = np.arange(len(spans))
    if data.shuffle:
        order = np.random.Generator(np.random.Philox(data.split_seed)).permutation(len(spans))
    sizes = (spans[:, 1] - spans[:, 0])[order]
    before = np.cumsum(sizes) - sizes
    chosen: NDArray[np.int64] = spans[np.sort(order[before < data.max_samples])]
    return chosen
