"""What a token cache says of itself, read without numpy: exact counts for the plan."""

from __future__ import annotations

import itertools
import sys
from array import array
from pathlib import Path

import msgspec

from presets.corpora import token_cache_key
from presets.estimate import TokenCounts
from presets.schema import DataConfig
from runs.folder import read_struct, token_caches_dir

_NPY_MAGIC = b"\x93NUMPY\x01\x00"


class _Manifest(msgspec.Struct):
    """Only what is needed to know that the cache is whole."""

    key: str


def count_sequences(data: DataConfig) -> TokenCounts | None:
    """Training sequences and their tokens ([CLS] and [SEP] with them); None when this text is not cached.

    Blocking: reads the document or row offsets, a few megabytes for the largest datasets.
    """
    folder = token_caches_dir() / token_cache_key(data)
    name = "train.rows.npy" if data.long_documents == "truncate" else "train.documents.npy"
    manifest = read_struct(folder / "manifest.json", _Manifest)
    if manifest is None or manifest.key != folder.name:
        return None
    try:
        offsets = _read_offsets(folder / name)
    except (OSError, ValueError):
        return None
    room = data.sequence_length - 2
    lengths = [after - before for before, after in itertools.pairwise(offsets)]
    if data.long_documents == "truncate":
        kept = [min(length, room) for length in lengths if length]
        return TokenCounts(len(kept), sum(kept) + 2 * len(kept))
    rows = sum(-(-length // room) for length in lengths)
    return TokenCounts(rows, sum(lengths) + 2 * rows)


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
