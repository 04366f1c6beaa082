"""Builds a token cache shard by shard, and goes on with one that was half built."""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from engine.data.cache_statistics import measure_statistics
from engine.data.documents import DataError, Documents, Report, Rows
from engine.data.encoding import encode_long_rows, pieces
from engine.data.shards import (
    ShardWriter,
    open_shard,
    read_hashes,
    shard_name,
    sync,
)
from engine.data.soundness import digest_of
from engine.data.sources import open_documents
from engine.data.splits import SeenHashes, counted_threshold, document_hash, no_usable_rows, stream_threshold
from engine.data.tokenizers import load_tokenizer, make_tokenizer
from presets.corpora import label
from presets.schema import DataConfig
from runs.cache_format import (
    MANIFEST,
    PROBLEM,
    PROGRESS,
    SHARD,
    SOURCE,
    TOKENIZER,
    CacheManifest,
    ShardRecord,
    SourceRecord,
    SplitCounts,
)
from runs.folder import read_struct, write_atomically

SHARD_TOKENS = 32_000_000
_STREAM_GROWTH = 8  # a stream's shards double up to so many times the first
_BATCH_DOCUMENTS = 512
_BATCH_CHARACTERS = 2_000_000  # of one batch; bounds memory whatever the length of a document
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Batch:
    """Some documents one after the other. end: number of the document after the last of them.

    labels: of each document, where the text is labelled.
    """

    documents: list[Rows]
    end: int
    labels: list[int] | None = None


def build(
    data: DataConfig, key: str, folder: Path, report: Report, num_sequences: int = 0, *, labelled: bool = False
) -> None:
    """Bring the cache in `folder` to its end. The caller holds its lock.

    Shards that are whole and sound are kept. num_sequences: end early once so many of them are there to train on;
    a later build goes on. labelled: keep the label of each document. Raises DataError, with everything that is
    whole left in place.
    """
    try:
        _build(data, key, folder, report, num_sequences, labelled)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        free = shutil.disk_usage(folder.parent).free
        kept = len(list(folder.glob("shard-[0-9]*[0-9]")))
        raise DataError(
            f"the disk is full: {folder.parent} has {free / 1e6:,.0f} MB left, and {label(data)} needs more. "
            f"{kept} finished shards are kept, and the next start goes on there. Free some space, for instance "
            "with `tinytrain-tui data clear`"
        ) from error


def _build(data: DataConfig, key: str, folder: Path, report: Report, num_sequences: int, labelled: bool) -> None:
    if (folder / MANIFEST).exists():
        return
    (folder / PROBLEM).unlink(missing_ok=True)
    source = read_struct(folder / SOURCE, SourceRecord)
    records = _kept_records(folder)
    num_there = sum(_num_sequences(folder, record, data) for record in records) if num_sequences else 0
    if num_sequences and num_there >= num_sequences:
        return
    # a branch of the hub may have moved since the first half was built; both have to be of one commit
    documents = open_documents(data, report, source.commit if source else "", labelled=labelled)
    if source is None:
        source = _begin(documents, data, key, folder, report)
    tokenizer = load_tokenizer(folder / TOKENIZER)
    seen = SeenHashes()
    for record in records:
        seen.add_run(read_hashes(folder / shard_name(record.index)))
    first = records[-1].end_document if records else 0
    batches = _batches(documents, first, _batch_characters(data))
    while batch := next(batches, None):
        limit = _shard_tokens(data, len(records))
        with ShardWriter(folder, len(records), first, source.vocab_size, labelled=labelled) as writer:
            while batch is not None:
                _add(writer, batch, data, source.validation_threshold, tokenizer, seen)
                first = batch.end
                report("tokenising", first, documents.num_documents or 0, "documents")
                if writer.num_tokens >= limit:
                    break  # and close it before more is read: the source may break off there
                batch = next(batches, None)
            records.append(writer.close(first))
        if documents.num_documents is None:
            _check_splits(records[:1], data)  # a run is judged by the first shard of a stream
        if num_sequences:
            num_there += _num_sequences(folder, records[-1], data)
            if num_there >= num_sequences:
                return
    _check_splits(records, data)
    _finish(folder, key, records, tokenizer)


def _num_sequences(folder: Path, record: ShardRecord, data: DataConfig) -> int:
    """Training sequences of one shard."""
    return len(open_shard(folder / shard_name(record.index)).train.sequences(data)[0])


def _begin(documents: Documents, data: DataConfig, key: str, folder: Path, report: Report) -> SourceRecord:
    """Decide where the splits divide, learn the tokenizer, and write both down."""
    if documents.num_documents is None:
        threshold = stream_threshold(data.validation_fraction)
        sample: Callable[[], Iterable[Rows]] = _beginning(documents, report).copy
    else:
        threshold = counted_threshold(documents, data, report)
        sample = documents.read
    texts = _TrainingTexts(sample, data, threshold, documents.num_documents or 0, report)
    tokenizer = make_tokenizer(texts, data, documents.words)
    text = tokenizer.to_str()
    source = SourceRecord(
        key=key,
        label=label(data),
        data=msgspec.to_builtins(data),
        commit=documents.commit,
        vocab_size=tokenizer.get_vocab_size(),
        tokenizer_sha256=hashlib.sha256(text.encode()).hexdigest(),
        created=time.time(),
        validation_threshold=threshold,
        labels=documents.labels.names if documents.labels else (),
        num_unlabelled=documents.labels.num_unlabelled if documents.labels else 0,
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # not before: a source that cannot be read leaves none
    write_atomically(folder / TOKENIZER, text.encode())
    write_atomically(folder / SOURCE, msgspec.json.format(msgspec.json.encode(source)))
    return source


@dataclass(frozen=True)
class _TrainingTexts:
    """The texts of the training documents, in pieces of bounded length; can be read again."""

    read: Callable[[], Iterable[Rows]]
    data: DataConfig
    threshold: int
    num_documents: int
    report: Report

    def __iter__(self) -> Iterator[str]:
        for number, rows in enumerate(self.read()):
            if number % 100 == 0:
                self.report("learning the tokenizer", number, self.num_documents, "documents")
            if rows and document_hash(rows, self.data.split_seed) > self.threshold:
                for row in rows:
                    yield from pieces(row)


def _beginning(documents: Documents, report: Report) -> list[Rows]:
    """As much of a stream as its tokenizer is learned from."""
    sample: list[Rows] = []
    num_words = 0
    for rows in documents.read():
        sample.append(rows)
        num_words += sum(len(row.split()) for row in rows)
        if len(sample) % 100 == 0:
            report("reading the beginning of the stream", num_words, documents.data.shard_tokens, "words")
        if num_words >= documents.data.shard_tokens:
            break
    return sample


def _kept_records(folder: Path) -> list[ShardRecord]:
    """The records of the shards that are there, in order, up to the first gap."""
    records: list[ShardRecord] = []
    while (shard := folder / shard_name(len(records))).is_dir():
        records.append(msgspec.json.decode((shard / SHARD).read_bytes(), type=ShardRecord))
    return records


def _shard_tokens(data: DataConfig, index: int) -> int:
    """When a shard is full: a function of its number alone, so that a build in two goes has the same shards."""
    if data.access == "stream":
        return data.shard_tokens * min(1 << index, _STREAM_GROWTH)
    return SHARD_TOKENS


def _batch_characters(data: DataConfig) -> int:
    """Shards end at the end of a batch, so those of a stream with small shards have to be small."""
    return min(_BATCH_CHARACTERS, 2 * data.shard_tokens) if data.access == "stream" else _BATCH_CHARACTERS


def _batches(documents: Documents, first: int, max_characters: int) -> Iterator[Batch]:
    """Documents from number `first` on in batches of bounded size."""
    batch: list[Rows] = []
    characters = 0
    number = first
    labels = documents.labels.codes.tolist() if documents.labels else None
    for rows in documents.read(first):
        batch.append(rows)
        number += 1
        characters += sum(map(len, rows))
        if len(batch) >= _BATCH_DOCUMENTS or characters >= max_characters:
            yield Batch(batch, number, labels[number - len(batch) : number] if labels else None)
            batch, characters = [], 0
    if batch:
        yield Batch(batch, number, labels[number - len(batch) : number] if labels else None)


def _add(
    writer: ShardWriter,
    batch: Batch,
    data: DataConfig,
    threshold: int,
    tokenizer: Tokenizer,
    seen: SeenHashes,
) -> None:
    """Encode a batch and append each document to its split."""
    kept: dict[str, list[Rows]] = {"train": [], "validation": []}
    hashes: dict[str, list[int]] = {"train": [], "validation": []}
    labels: dict[str, list[int]] = {"train": [], "validation": []}
    for number, rows in enumerate(batch.documents):
        if not rows:
            continue
        value = document_hash(rows, data.split_seed)
        if data.deduplicate and not seen.add(value):
            writer.count_duplicate()
            continue
        name = "validation" if value <= threshold else "train"
        kept[name].append(rows)
        hashes[name].append(value)
        if batch.labels is not None:
            labels[name].append(batch.labels[number])
    for name, documents in kept.items():
        if documents:
            ids = encode_long_rows(tokenizer, [row for rows in documents for row in rows])
            writer.add(name, documents, ids, hashes[name], labels[name])


def _check_splits(records: list[ShardRecord], data: DataConfig) -> None:
    train, validation = _totals(records)
    if not train.tokens and not validation.tokens:
        raise DataError(no_usable_rows(data))
    for name, counts in (("training", train), ("validation", validation)):
        if not counts.tokens:
            raise DataError(
                f"{label(data)}: of {train.documents + validation.documents:,} documents none came into the "
                f"{name} split; read more of it, or change data.validation_fraction"
            )


def _totals(records: list[ShardRecord]) -> tuple[SplitCounts, SplitCounts]:
    train, validation = SplitCounts(), SplitCounts()
    for record in records:
        train, validation = train + record.train, validation + record.validation
    return train, validation


def _finish(folder: Path, key: str, records: list[ShardRecord], tokenizer: Tokenizer) -> None:
    """Write the manifest; from now on the cache is complete."""
    train, validation = _totals(records)
    manifest = CacheManifest(
        key=key,
        shards=tuple(digest_of(folder / shard_name(record.index) / SHARD) for record in records),
        train=train,
        validation=validation,
        statistics=measure_statistics(folder, records, tokenizer),
        num_duplicates=sum(record.duplicates for record in records),
        finished=time.time(),
    )
    write_atomically(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
    (folder / PROGRESS).unlink(missing_ok=True)
    sync(folder)
