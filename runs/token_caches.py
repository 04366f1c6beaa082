"""What a token cache says of itself, read without numpy: exact counts for the plan."""

from __future__ import annotations

import hashlib
import itertools
import sys
from array import array
from pathlib import Path

import msgspec

from presets.corpora import token_cache_key
from presets.estimate import TokenCounts
from presets.schema import DataConfig
from runs.cache_format import MANIFEST, CacheManifest
from runs.checkpoint_names import pointed_at
from runs.checksums import sha256_of
from runs.folder import find_run, read_struct, runs_dir, token_caches_dir

RUN_PREFIX = "run:"
TEXT_SUFFIXES = (".txt", ".jsonl", ".csv", ".parquet")
_NPY_MAGIC = b"\x93NUMPY\x01\x00"


def cache_key(data: DataConfig, *, labelled: bool = False) -> str:
    """Which token cache a data section means; for local files it follows their sizes and times of change.

    labelled: the cache with a label for each document, as classification needs it.

    Blocking: looks at every file that is named. A file that is not there counts as empty.
    """
    parts: list[str] = []
    if data.source == "files":
        parts = [f"{path} {_version(path)}" for path in text_files(data.dataset)]
    if data.tokenizer == "existing":
        parts.append(_tokenizer_version(data.tokenizer_from))
        if tokenizer_file(data.tokenizer_from) is not None:
            data = msgspec.structs.replace(data, tokenizer_from="")  # what it says counts, not where it lies
    contents = hashlib.sha256("\n".join(parts).encode()).hexdigest() if parts else ""
    return token_cache_key(data, contents, labelled=labelled)


def text_files(dataset: str) -> list[Path]:
    """The file that is named, or all text files below the folder that is named, sorted by path."""
    path = Path(dataset).expanduser()
    if not path.is_dir():
        return [path.absolute()]
    found = (entry for entry in path.absolute().rglob("*") if entry.suffix.lower() in TEXT_SUFFIXES)
    return sorted(entry for entry in found if entry.is_file())


def _version(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "-"
    return f"{status.st_size} {status.st_mtime_ns}"


def _tokenizer_version(reference: str) -> str:
    """The content's SHA-256 where it lies on this disk, else the name alone."""
    path = tokenizer_file(reference)
    try:
        return sha256_of(path) if path is not None else reference
    except OSError:
        return reference


def tokenizer_file(reference: str) -> Path | None:
    """Where a tokenizer lies on this disk: a file, or in the last checkpoint of `run:NAME`; None for the hub's."""
    if reference.startswith(RUN_PREFIX):
        try:
            checkpoints = find_run(runs_dir(), reference.removeprefix(RUN_PREFIX)).checkpoints_dir
        except LookupError:
            return None
        name = pointed_at(checkpoints, "last")
        return checkpoints / name / "tokenizer.json" if name else None
    path = Path(reference).expanduser()
    return path if reference.endswith(".json") or path.is_file() else None


def count_sequences(data: DataConfig, *, labelled: bool = False) -> TokenCounts | None:
    """Training sequences and their tokens ([CLS] and [SEP] with them); None when this text is not cached whole.

    Blocking: reads the document or row offsets, a few megabytes for the largest datasets.
    """
    folder = token_caches_dir() / cache_key(data, labelled=labelled)
    name = "train.rows.npy" if data.long_documents == "truncate" else "train.documents.npy"
    manifest = read_struct(folder / MANIFEST, CacheManifest)
    if manifest is None or manifest.key != folder.name:
        return None
    room = data.sequence_length - 2
    num_rows = num_tokens = 0
    for index in range(len(manifest.shards)):
        try:
            offsets = _read_offsets(shard_folder(folder, index) / name)
        except (OSError, ValueError):
            return None
        lengths = [after - before for before, after in itertools.pairwise(offsets)]
        if data.long_documents == "truncate":
            lengths = [min(length, room) for length in lengths]
        num_rows += sum(-(-length // room) for length in lengths)
        num_tokens += sum(lengths)
    return TokenCounts(num_rows, num_tokens + 2 * num_rows)


def shard_folder(cache: Path, index: int) -> Path:
    """Where the shard of that number lies in a cache's folder."""
    return cache / f"shard-{index:05d}"


def _read_offsets(path: Path) -> array[int]:
    """The int64 values of a one-dimensional `.npy` file, version 1.0. Raises OSError or ValueError."""
    content = path.read_bytes()
    header_length = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + header_length]
    if not content.startswith(_NPY_MAGIC) or b"'<i8'" not in header:
        raise ValueError(f"{path.name} is no file of int64 values")
    values = array("q")
    values.frombytes(content[10 + header_length :])
    if sys.byteorder == "big":
        values.byteswap()
    return values
