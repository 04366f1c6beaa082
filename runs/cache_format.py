"""What the files of a token cache say: written by the engine, read by everybody.

    <key>/tokenizer.json  source.json        written first
          shard-00000/    train.tokens  train.rows.npy  train.documents.npy  validation.*
                          token_counts.npy  hashes.npy  shard.json  (train.labels.npy  validation.labels.npy)
          progress.json  problem.json        while a stream is read, or after it broke off
          manifest.json                      written last: without it the cache is still being built

A shard is a folder that is renamed into place whole. `*.tokens` is flat uint16 (uint32 for vocabularies over
65,536); `*.rows.npy` and `*.documents.npy` are int64 offsets into it, one more than there are rows or documents;
`token_counts.npy` counts the training tokens of the shard, `hashes.npy` has its documents' 64-bit hashes.
Of labelled text `*.labels.npy` has an int64 number for each document, which counts `labels` of `source.json`.
"""

from __future__ import annotations

import msgspec

MANIFEST = "manifest.json"
SOURCE = "source.json"
SHARD = "shard.json"
TOKENIZER = "tokenizer.json"
PROBLEM = "problem.json"
PROGRESS = "progress.json"


class SplitCounts(msgspec.Struct, frozen=True):
    """Of one split: documents, rows of the dataset, whitespace words, tokens, and how many of them are [UNK]."""

    documents: int = 0
    rows: int = 0
    words: int = 0
    tokens: int = 0
    unknown: int = 0

    def __add__(self, other: SplitCounts) -> SplitCounts:
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return SplitCounts(*(a + b for a, b in zip(mine, others, strict=True)))


class LongDocument(msgspec.Struct, frozen=True):
    """One of the longest training documents: its length and how it begins."""

    tokens: int
    start: str


class Statistics(msgspec.Struct, frozen=True):
    """What the tokenizer makes of the training split.

    lengths: (upper bound in tokens, documents) pairs, rising; bounds are powers of two. head: most frequent tokens
    with their counts. vocabulary_used: entries that occur at least once. longest: longest first.
    """

    lengths: tuple[tuple[int, int], ...] = ()
    head: tuple[tuple[str, int], ...] = ()
    vocabulary_used: int = 0
    longest: tuple[LongDocument, ...] = ()


class ShardRecord(msgspec.Struct, frozen=True):
    """`shard.json`. first_document … end_document: which documents of the source it holds, those left out too.

    duplicates: copies that were left out. files maps each file of the shard to its SHA-256.
    """

    index: int
    first_document: int
    end_document: int
    train: SplitCounts
    validation: SplitCounts
    files: dict[str, str]
    duplicates: int = 0
    longest: tuple[LongDocument, ...] = ()


class SourceRecord(msgspec.Struct, frozen=True):
    """`source.json`: what the cache is made from. data: the data settings as JSON-like builtins.

    commit: of a hub dataset, where it could be learned. tokenizer_sha256: of the text of `tokenizer.json`.
    """

    key: str
    label: str
    data: dict[str, object]
    commit: str
    vocab_size: int
    tokenizer_sha256: str
    created: float
    validation_threshold: int = 0
    """A document whose 64-bit hash is at most this is validation."""
    labels: tuple[str, ...] = ()
    """Names of the classes, of labelled text."""
    num_unlabelled: int = 0
    """Rows of labelled text that were left out, since they have no label."""


class CacheManifest(msgspec.Struct, frozen=True):
    """`manifest.json`: the cache is complete. shards: SHA-256 of every `shard.json`, in their order."""

    key: str
    shards: tuple[str, ...]
    train: SplitCounts
    validation: SplitCounts
    statistics: Statistics
    num_duplicates: int
    finished: float


class BuildProgress(msgspec.Struct, frozen=True):
    """`progress.json`: how far the process that reads a stream has come."""

    phase: str
    done: int
    total: int
    unit: str


class BuildProblem(msgspec.Struct, frozen=True):
    """`problem.json`: why the build of a stream ended before its end; removed when it is taken up again."""

    message: str
    time: float
