"""The token cache: a tokenised dataset in memory-mapped shards, built once whoever asks."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from engine.data.building import build
from engine.data.documents import Report
from engine.data.shards import Shard, open_shard, shard_name
from engine.data.soundness import drop_damage
from engine.data.tokenizers import load_tokenizer
from presets.schema import DataConfig
from runs.cache_format import MANIFEST, SOURCE, TOKENIZER, SourceRecord, SplitCounts
from runs.token_caches import cache_key

_LOCK_POLL_S = 0.2


@dataclass(frozen=True)
class TokenCache:
    """An open cache, or as much of a stream as there is."""

    source: SourceRecord
    tokenizer: Tokenizer
    tokenizer_json: str
    shards: tuple[Shard, ...]
    is_complete: bool

    @property
    def vocab_size(self) -> int:
        """Entries of the tokenizer's vocabulary."""
        return self.source.vocab_size

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, of labelled text; `SequenceStore.labels` counts them."""
        return self.source.labels

    @property
    def train(self) -> SplitCounts:
        """Counts of the training split."""
        return _sum([shard.record.train for shard in self.shards])

    @property
    def validation(self) -> SplitCounts:
        """Counts of the validation split."""
        return _sum([shard.record.validation for shard in self.shards])

    @property
    def fingerprint(self) -> str:
        """The same for the same tokens in the same order, however often the cache is built."""
        records = b"".join(msgspec.json.encode(shard.record) for shard in self.shards)
        return hashlib.sha256(records).hexdigest()[:16]

    @property
    def token_counts(self) -> NDArray[np.int64]:
        """(V,) how often each token occurs in the training split."""
        total: NDArray[np.int64] = np.sum([shard.token_counts for shard in self.shards], axis=0)
        return total


def _sum(counts: list[SplitCounts]) -> SplitCounts:
    total = SplitCounts()
    for one in counts:
        total = total + one
    return total


def open_or_build(data: DataConfig, caches: Path, report: Report, *, labelled: bool = False) -> TokenCache:
    """The complete cache of this dataset; built under a lock as far as it is not there, or not sound.

    labelled: with a label for each document. Several processes that ask at once build it once.
    Raises DataError or OSError.
    """
    key = cache_key(data, labelled=labelled)
    folder = caches / key
    with locked(caches, key, report):
        repair_or_build(data, key, folder, report, labelled=labelled)
        os.utime(folder / MANIFEST)  # last used
        return open_cache(folder)


def repair_or_build(
    data: DataConfig, key: str, folder: Path, report: Report, num_sequences: int = 0, *, labelled: bool = False
) -> None:
    """Drop what is damaged and build what is missing (see `build`); the caller holds the lock."""
    damage = drop_damage(folder, key)
    if damage:
        report(f"the token cache is damaged ({damage}) and is rebuilt", 0, 0, "documents")
    build(data, key, folder, report, num_sequences, labelled=labelled)


def open_cache(folder: Path, num_shards: int | None = None) -> TokenCache:
    """Map a cache, or its first shards; they are known to be sound."""
    source = msgspec.json.decode((folder / SOURCE).read_bytes(), type=SourceRecord)
    is_complete = (folder / MANIFEST).exists()
    count = count_shards(folder) if num_shards is None else num_shards
    return TokenCache(
        source=source,
        tokenizer=load_tokenizer(folder / TOKENIZER),
        tokenizer_json=(folder / TOKENIZER).read_text(encoding="utf-8"),
        shards=tuple(open_shard(folder / shard_name(index)) for index in range(count)),
        is_complete=is_complete,
    )


def count_shards(folder: Path) -> int:
    """Whole shards that are there, from the first on without a gap."""
    count = 0
    while (folder / shard_name(count)).is_dir():
        count += 1
    return count


@contextlib.contextmanager
def locked(caches: Path, key: str, report: Report) -> Iterator[None]:
    """Hold the lock of one cache; while another process builds it, wait and say so."""
    caches.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (caches / f"{key}.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report("waiting for another process that builds this token cache", 0, 0, "documents")
                time.sleep(_LOCK_POLL_S)
        yield
