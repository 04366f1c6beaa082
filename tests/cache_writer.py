"""Writes token caches as the engine does, without tokenizing anything; for tests of what reads them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from presets.corpora import label
from presets.schema import DataConfig
from runs.cache_format import (
    MANIFEST,
    SHARD,
    SOURCE,
    TOKENIZER,
    CacheManifest,
    LongDocument,
    ShardRecord,
    SourceRecord,
    SplitCounts,
    Statistics,
)
from runs.checksums import sha256_of
from runs.folder import token_caches_dir
from runs.token_caches import cache_key, shard_folder


def write_cache(
    data: DataConfig = DataConfig(),  # noqa: B008 - frozen
    shards: Sequence[Sequence[int]] = ((30, 12, 5), (60,)),
    complete: bool = True,
    text_start: str = "fellow citizens of the senate",
) -> Path:
    """A cache of documents of so many tokens, one list a shard; every shard has a validation document of 4."""
    key = cache_key(data)
    folder = token_caches_dir() / key
    folder.mkdir(parents=True)
    tokenizer = '{"model": {}}'
    (folder / TOKENIZER).write_text(tokenizer, encoding="utf-8")
    source = SourceRecord(
        key=key,
        label=label(data),
        data=msgspec.to_builtins(data),
        commit="",
        vocab_size=data.vocab_size,
        tokenizer_sha256=hashlib.sha256(tokenizer.encode()).hexdigest(),
        created=time.time() - 3600,
    )
    (folder / SOURCE).write_bytes(msgspec.json.encode(source))
    records = [_write_shard(folder, index, lengths) for index, lengths in enumerate(shards)]
    if complete:
        statistics = Statistics(
            lengths=((8, 1), (16, 1), (32, 1), (64, 1)),
            head=(("the", 40), ("of", 25), (",", 20), ("[UNK]", 2)),
            vocabulary_used=900,
            longest=(LongDocument(60, text_start), LongDocument(30, "gentlemen")),
        )
        manifest = CacheManifest(
            key=key,
            shards=tuple(sha256_of(shard_folder(folder, index) / SHARD) for index in range(len(records))),
            train=sum((record.train for record in records), SplitCounts()),
            validation=sum((record.validation for record in records), SplitCounts()),
            statistics=statistics,
            num_duplicates=3,
            finished=time.time(),
        )
        (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return folder


def hold_build_lock(key: str) -> int:
    """Hold the lock of a cache as its builder does, until the descriptor is closed."""
    caches = token_caches_dir()
    caches.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(caches / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def write_older_cache(key: str = "0123456789abcdef") -> Path:
    """A cache as version 1 wrote it: flat files and one manifest."""
    folder = token_caches_dir() / key
    folder.mkdir(parents=True)
    (folder / "train.tokens").write_bytes(b"\0" * 1000)
    (folder / MANIFEST).write_text('{"key": "x", "data": {"dataset": "addresses", "source": "embedded"}}')
    return folder


def _write_shard(folder: Path, index: int, lengths: Sequence[int]) -> ShardRecord:
    shard = shard_folder(folder, index)
    shard.mkdir()
    for split, sizes in (("train", lengths), ("validation", (4,))):
        offsets = [sum(sizes[:end]) for end in range(len(sizes) + 1)]
        (shard / f"{split}.tokens").write_bytes(b"\x07\x00" * offsets[-1])
        for name in ("rows", "documents"):
            (shard / f"{split}.{name}.npy").write_bytes(_npy(offsets))
    words = sum(lengths) * 3 // 4
    record = ShardRecord(
        index=index,
        first_document=index * 100,
        end_document=index * 100 + 100,
        train=SplitCounts(len(lengths), len(lengths), words, sum(lengths), 2),
        validation=SplitCounts(1, 1, 3, 4, 0),
        files={path.name: sha256_of(path) for path in shard.iterdir()},
    )
    (shard / SHARD).write_bytes(msgspec.json.encode(record))
    return record


def _npy(values: Sequence[int]) -> bytes:
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({len(values)},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array("q", values).tobytes()
    )
