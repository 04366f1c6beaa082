"""One shard of a token cache: written into a temporary folder, renamed into place whole; opened memory-mapped."""

from __future__ import annotations

import heapq
import io
import itertools
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.data.documents import Rows
from engine.data.tokenizers import UNK
from presets.schema import DataConfig
from runs.cache_format import SHARD, LongDocument, ShardRecord, SplitCounts
from runs.checksums import sha256_of

SPLITS = ("train", "validation")
_NUM_LONGEST = 5
_START_CHARACTERS = 100


def token_type(vocab_size: int) -> type[np.uint16] | type[np.uint32]:
    """The narrowest number that holds every token id."""
    return np.uint16 if vocab_size <= 1 << 16 else np.uint32


def shard_name(index: int) -> str:
    """The folder of shard number `index`."""
    return f"shard-{index:05d}"


def shard_number(folder: Path) -> int:
    """The index in a shard's folder name."""
    return int(folder.name.removeprefix("shard-"))


@dataclass(frozen=True)
class Split:
    """One split of one shard, memory-mapped.

    tokens: (N,) uint16 or uint32. rows, documents: int64 token offsets, one more than there are of them.
    labels: (D,) of each document, where the text is labelled.
    """

    tokens: NDArray[np.uint16] | NDArray[np.uint32]
    rows: NDArray[np.int64]
    documents: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None

    def sequences(self, data: DataConfig) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Starts and lengths (in tokens) of the sequences that the configuration cuts this split into."""
        room = data.sequence_length - 2  # [CLS] and [SEP]
        if data.long_documents == "truncate":
            starts, lengths = self.rows[:-1], np.minimum(np.diff(self.rows), room)
            return starts[lengths > 0], lengths[lengths > 0]
        sizes = np.diff(self.documents)
        pieces = -(-sizes // room)
        owner = np.repeat(np.arange(len(sizes)), pieces)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = self.documents[:-1][owner] + nth * room
        return starts, np.minimum(room, self.documents[1:][owner] - starts)

    def owners(self, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which document each sequence is of. starts: (N,) from `sequences`."""
        owners: NDArray[np.int64] = np.searchsorted(self.documents, starts, side="right") - 1
        return owners


@dataclass(frozen=True)
class Shard:
    """An open shard. token_counts: (V,) how often each token occurs in its training split."""

    record: ShardRecord
    train: Split
    validation: Split
    token_counts: NDArray[np.int64]


def open_shard(folder: Path) -> Shard:
    """Map a shard that is known to be intact."""
    record = msgspec.json.decode((folder / SHARD).read_bytes(), type=ShardRecord)
    counts: NDArray[np.int64] = np.load(folder / "token_counts.npy")
    kind = token_type(len(counts))
    return Shard(record, _open_split(folder, "train", kind), _open_split(folder, "validation", kind), counts)


def shard_damage(folder: Path) -> str:
    """What is wrong with a shard, or nothing."""
    try:
        record = msgspec.json.decode((folder / SHARD).read_bytes(), type=ShardRecord)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return f"{folder.name}/{SHARD} is missing or unreadable"
    for name, digest in record.files.items():
        try:
            if sha256_of(folder / name) != digest:
                return f"{folder.name}/{name} was altered or cut short"
        except OSError:
            return f"{folder.name}/{name} is missing"
    return ""


def read_hashes(folder: Path) -> NDArray[np.uint64]:
    """(D,) hashes of the documents that a shard holds."""
    hashes: NDArray[np.uint64] = np.load(folder / "hashes.npy")
    return hashes


def _open_split(folder: Path, name: str, kind: type[np.uint16] | type[np.uint32]) -> Split:
    path = folder / f"{name}.tokens"
    tokens: NDArray[Any] = np.empty(0, dtype=kind)  # nothing to map in an empty file
    if path.stat().st_size:
        tokens = np.memmap(path, dtype=kind, mode="c")
    labels = folder / f"{name}.labels.npy"
    return Split(
        tokens,
        np.load(folder / f"{name}.rows.npy"),
        np.load(folder / f"{name}.documents.npy"),
        np.load(labels) if labels.exists() else None,
    )


@dataclass
class _OpenSplit:
    """What is written of one split, and its offsets, kept until the shard is closed."""

    file: BinaryIO
    rows: list[int] = field(default_factory=lambda: [0])
    documents: list[int] = field(default_factory=lambda: [0])
    labels: list[int] = field(default_factory=list)
    words: int = 0
    unknown: int = 0
    longest: list[tuple[int, str]] = field(default_factory=list)

    @property
    def counts(self) -> SplitCounts:
        return SplitCounts(
            len(self.documents) - 1, len(self.rows) - 1, self.words, self.documents[-1], self.unknown
        )


class ShardWriter:
    """Appends documents to a shard that does not count until `close`; leaves nothing behind otherwise."""

    def __init__(
        self, caches_folder: Path, index: int, first_document: int, vocab_size: int, *, labelled: bool = False
    ) -> None:
        self._target = caches_folder / shard_name(index)
        self._building = caches_folder / f"{shard_name(index)}.building"
        self._index = index
        self._first_document = first_document
        self._kind = token_type(vocab_size)
        self._labelled = labelled
        self._token_counts = np.zeros(vocab_size, dtype=np.int64)
        self._hashes: list[int] = []
        self._duplicates = 0
        shutil.rmtree(self._building, ignore_errors=True)  # left by a build that was killed
        self._building.mkdir(mode=0o700)
        self._splits = {name: _OpenSplit((self._building / f"{name}.tokens").open("wb")) for name in SPLITS}

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for split in self._splits.values():
            split.file.close()
        shutil.rmtree(self._building, ignore_errors=True)  # nothing is there after `close`

    @property
    def num_tokens(self) -> int:
        """Tokens of both splits so far."""
        return sum(split.documents[-1] for split in self._splits.values())

    def add(
        self,
        name: str,
        documents: list[Rows],
        row_ids: list[list[int]],
        hashes: list[int],
        labels: list[int] | None = None,
    ) -> None:
        """Several documents: their rows, the token ids of each row one after the other, hashes and labels."""
        split = self._splits[name]
        split.labels += labels or ()
        sizes = [len(ids) for ids in row_ids]
        ids = np.fromiter(itertools.chain.from_iterable(row_ids), dtype=self._kind, count=sum(sizes))
        split.file.write(ids.data)  # not tofile, whose errors do not say that the disk is full
        counts = np.bincount(ids, minlength=len(self._token_counts))
        split.unknown += int(counts[UNK])
        if name == "train":
            self._token_counts += counts
        row_ends = list(itertools.accumulate(sizes, initial=split.rows[-1]))[1:]
        split.rows += row_ends
        num_rows = 0
        for rows in documents:
            num_rows += len(rows)
            split.words += sum(len(row.split()) for row in rows)
            num_tokens = row_ends[num_rows - 1] - split.documents[-1]
            split.documents.append(row_ends[num_rows - 1])
            if len(split.longest) < _NUM_LONGEST or num_tokens > split.longest[0][0]:
                heapq.heappush(split.longest, (num_tokens, " ".join(rows)[:_START_CHARACTERS]))
                if len(split.longest) > _NUM_LONGEST:
                    heapq.heappop(split.longest)
        self._hashes += hashes

    def count_duplicate(self) -> None:
        """A copy of a document was left out."""
        self._duplicates += 1

    def close(self, end_document: int) -> ShardRecord:
        """Write offsets and record, force all to the disk, and rename the shard into place. Raises OSError."""
        folder = self._building
        for name, split in self._splits.items():
            split.file.close()
            _save(folder / f"{name}.rows.npy", np.array(split.rows, dtype=np.int64))
            _save(folder / f"{name}.documents.npy", np.array(split.documents, dtype=np.int64))
            if self._labelled:
                _save(folder / f"{name}.labels.npy", np.array(split.labels, dtype=np.int64))
        _save(folder / "token_counts.npy", self._token_counts)
        _save(folder / "hashes.npy", np.array(self._hashes, dtype=np.uint64))
        longest = sorted(self._splits["train"].longest, reverse=True)
        record = ShardRecord(
            index=self._index,
            first_document=self._first_document,
            end_document=end_document,
            train=self._splits["train"].counts,
            validation=self._splits["validation"].counts,
            files={path.name: sha256_of(path) for path in sorted(folder.iterdir())},
            duplicates=self._duplicates,
            longest=tuple(LongDocument(tokens, start) for tokens, start in longest),
        )
        (folder / SHARD).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        for path in (*folder.iterdir(), folder):
            sync(path)
        folder.rename(self._target)
        sync(self._target.parent)
        return record


def _save(path: Path, array: NDArray[Any]) -> None:
    """Write a `.npy` file, with an error number where the disk is full."""
    content = io.BytesIO()
    np.save(content, array)
    path.write_bytes(content.getbuffer())


def sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
