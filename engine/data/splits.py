"""Which documents are validation, and which are copies: both follow from the hash of a document's text alone."""

from __future__ import annotations

import hashlib
from array import array

import numpy as np
from numpy.typing import NDArray

from engine.data.documents import DataError, Documents, Report, Rows
from presets.schema import DataConfig

_MOST_RUNS = 8


def document_hash(rows: Rows, split_seed: int) -> int:
    """A 64-bit number that copies of a document share."""
    salt = split_seed.to_bytes(8, "little")
    digest = hashlib.blake2b("\n".join(rows).encode(), key=salt, digest_size=8).digest()
    return int.from_bytes(digest, "little")


def stream_threshold(fraction: float) -> int:
    """A document is validation when its hash is at most this; for a source whose end is not known."""
    return round(fraction * 2**64) - 1


def counted_threshold(documents: Documents, data: DataConfig, report: Report) -> int:
    """The same for a source that can be read twice, such that exactly `validation_fraction` falls below it.

    Raises DataError when no document is usable, or too few for two splits.
    """
    hashes = array("Q")
    total = documents.num_documents or 0
    for number, rows in enumerate(documents.read()):
        if rows:
            hashes.append(document_hash(rows, data.split_seed))
        if number % 1000 == 999:
            report("reading documents", number + 1, total, "documents")
    if not hashes:
        raise DataError(no_usable_rows(data))
    ordered = (
        np.unique(np.array(hashes, dtype=np.uint64))
        if data.deduplicate
        else np.sort(np.array(hashes, dtype=np.uint64))
    )
    threshold = int(ordered[max(1, round(len(ordered) * data.validation_fraction)) - 1])
    if int(ordered[-1]) <= threshold:
        raise DataError(
            f"{data.dataset} has {len(hashes):,} usable documents, {len(np.unique(ordered)):,} of them different: "
            "too few for a training and a validation split"
        )
    return threshold


def no_usable_rows(data: DataConfig) -> str:
    """The sentence for a source in which nothing is left after cleaning."""
    return (
        f"{data.dataset} has no row with at least {max(1, data.min_words)} words; lower data.min_words, or look "
        f"at the column {data.text_column!r} with `tinytrain-tui data show`"
    )


class SeenHashes:
    """A set of 64-bit hashes at 8 bytes each: sorted runs that are merged when there are many."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []
        self._recent: set[int] = set()

    def add(self, value: int) -> bool:
        """Whether it is new; it is known from now on."""
        if value in self._recent or self._is_in_runs(value):
            return False
        self._recent.add(value)
        if len(self._recent) >= 65_536:
            self.add_run(np.array(list(self._recent), dtype=np.uint64))
            self._recent.clear()
        return True

    def add_run(self, values: NDArray[np.uint64]) -> None:
        """Many that are known to be new. values: (N,)."""
        self._runs.append(np.sort(values))
        if len(self._runs) > _MOST_RUNS:
            self._runs = [np.sort(np.concatenate(self._runs))]

    def _is_in_runs(self, value: int) -> bool:
        wanted = np.uint64(value)
        for run in self._runs:
            place = int(np.searchsorted(run, wanted))
            if place < len(run) and run[place] == wanted:
                return True
        return False
