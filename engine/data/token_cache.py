"""The token cache: a tokenised dataset as flat memory-mapped files, built once, renamed into place whole."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from engine.data.sources import Corpus, DataError, Report, open_corpus, split_documents
from engine.data.tokenizers import UNK, encode_rows, load_tokenizer, train_tokenizer
from presets.corpora import token_cache_key
from presets.schema import DataConfig
from runs.checksums import sha256_of

_DOCUMENTS_PER_BATCH = 256


class SplitCounts(msgspec.Struct, frozen=True):
    """Of one split: documents, rows of the dataset, tokens, and how many of them are [UNK]."""

    documents: int
    rows: int
    tokens: int
    unknown: int


class CacheManifest(msgspec.Struct, frozen=True):
    """`manifest.json`, written last; files maps each name to its SHA-256."""

    key: str
    data: DataConfig
    vocab_size: int
    train: SplitCounts
    validation: SplitCounts
    files: dict[str, str]


@dataclass(frozen=True)
class Split:
    """One split, memory-mapped. tokens: (N,) uint16. rows, documents: token offsets, one more than there are."""

    tokens: NDArray[np.uint16]
    rows: NDArray[np.int64]
    documents: NDArray[np.int64]

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


@dataclass(frozen=True)
class TokenCache:
    """An open cache."""

    manifest: CacheManifest
    tokenizer: Tokenizer
    tokenizer_json: str
    train: Split
    validation: Split
    token_counts: NDArray[np.int64]
    """(vocabulary,) how often each token occurs in the training split."""


def open_or_build(data: DataConfig, caches: Path, report: Report) -> TokenCache:
    """The cache of this dataset; built under a lock when it is not there, or not intact.

    Several processes that ask at once build it once. Raises DataError or OSError.
    """
    key = token_cache_key(data)
    caches.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = caches / key
    with _locked(caches / f"{key}.lock"):
        if folder.is_dir():
            damage = _damage(folder)
            if not damage:
                return open_cache(folder)
            report(f"the token cache is damaged ({damage}) and is rebuilt", 0, 0, "documents")
            shutil.rmtree(folder)
        building = caches / f"{key}.building"
        shutil.rmtree(building, ignore_errors=True)  # left by a build that was killed; we hold the lock
        building.mkdir(mode=0o700)
        try:
            _build(data, key, building, report)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        building.rename(folder)
    return open_cache(folder)


def open_cache(folder: Path) -> TokenCache:
    """Map a cache that is known to be intact."""
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=CacheManifest)
    return TokenCache(
        manifest=manifest,
        tokenizer=load_tokenizer(folder / "tokenizer.json"),
        tokenizer_json=(folder / "tokenizer.json").read_text(encoding="utf-8"),
        train=_open_split(folder, "train"),
        validation=_open_split(folder, "validation"),
        token_counts=np.load(folder / "token_counts.npy"),
    )


def _open_split(folder: Path, name: str) -> Split:
    tokens: NDArray[np.uint16] = np.memmap(folder / f"{name}.tokens", dtype=np.uint16, mode="c")
    return Split(tokens, np.load(folder / f"{name}.rows.npy"), np.load(folder / f"{name}.documents.npy"))


def _damage(folder: Path) -> str:
    """What is wrong with a cache, or nothing."""
    try:
        manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=CacheManifest)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return "its manifest is missing or unreadable"
    for name, digest in manifest.files.items():
        try:
            if sha256_of(folder / name) != digest:
                return f"{name} was altered"
        except OSError:
            return f"{name} is missing"
    return ""


def _build(data: DataConfig, key: str, folder: Path, report: Report) -> None:
    corpus = open_corpus(data, report)
    train, validation = split_documents(corpus, report)
    report("training the tokenizer", 0, 0, "documents")
    tokenizer = train_tokenizer((row for rows in corpus.documents(train) for row in rows), data)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    total = len(train) + len(validation)
    counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    train_counts = _encode_split(folder, "train", corpus, train, tokenizer, counts, report, 0, total)
    np.save(folder / "token_counts.npy", counts)
    validation_counts = _encode_split(
        folder, "validation", corpus, validation, tokenizer, np.zeros_like(counts), report, len(train), total
    )
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    manifest = CacheManifest(key, data, len(counts), train_counts, validation_counts, files)
    (folder / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _encode_split(
    folder: Path,
    name: str,
    corpus: Corpus,
    indices: NDArray[np.int64],
    tokenizer: Tokenizer,
    counts: NDArray[np.int64],
    report: Report,
    done_before: int,
    total: int,
) -> SplitCounts:
    """Write one split's tokens and offsets; add its token counts to `counts`."""
    row_sizes: list[int] = []
    document_ends: list[int] = []
    num_tokens = 0
    iterator = iter(corpus.documents(indices))
    with (folder / f"{name}.tokens").open("wb") as file:
        while documents := list(islice(iterator, _DOCUMENTS_PER_BATCH)):
            encoded = iter(encode_rows(tokenizer, [row for rows in documents for row in rows]))
            for rows in documents:
                for ids in islice(encoded, len(rows)):
                    tokens = np.array(ids, dtype=np.uint16)
                    tokens.tofile(file)
                    counts += np.bincount(tokens, minlength=len(counts))
                    row_sizes.append(len(ids))
                    num_tokens += len(ids)
                document_ends.append(num_tokens)
            report("tokenising", done_before + len(document_ends), total, "documents")
    if not num_tokens:
        raise DataError(f"the {name} split of {corpus.data.dataset} has no tokens")
    np.save(folder / f"{name}.rows.npy", np.concatenate([[0], np.cumsum(row_sizes)]).astype(np.int64))
    np.save(folder / f"{name}.documents.npy", np.array([0, *document_ends], dtype=np.int64))
    return SplitCounts(len(document_ends), len(row_sizes), num_tokens, int(counts[UNK]))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
