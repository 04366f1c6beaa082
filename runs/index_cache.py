"""The list of ended runs as it was read last, in a file of this user's, so that thousands are there at once."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import msgspec

from runs.folder import token_caches_dir, write_atomically
from runs.run_summary import RunSummary, Stamp
from runs.safe_files import read_bytes
from runs.summary import RunIndex

_VERSION = 1
_MOST_BYTES = 256 << 20
_WORTH_KEEPING = 50  # fewer are read as fast from their own files


class _Kept(msgspec.Struct, array_like=True, frozen=True):
    """The file: rows of ended runs by their ids, each with the stamps of the files that it was read from."""

    version: int
    runs: str
    rows: dict[str, tuple[Stamp, RunSummary]]


def index_cache_file(runs: Path) -> Path:
    """Where the list of that folder is kept: in the cache folder, never beside the runs, which may be shared."""
    digest = hashlib.sha256(str(runs).encode("utf-8", "surrogateescape")).hexdigest()
    return token_caches_dir().parent / "index" / f"{digest[:24]}.msgpack"


def load_index(runs: Path) -> dict[str, tuple[Stamp, RunSummary]]:
    """What was kept of a folder of runs; nothing when the file is missing, damaged, or of another version."""
    try:
        kept = _decoder.decode(read_bytes(index_cache_file(runs), _MOST_BYTES))
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return {}
    if kept.version != _VERSION or kept.runs != str(runs):
        return {}
    return {id: pair for id, pair in kept.rows.items() if pair[1].id == id}


def save_index(runs: Path, index: RunIndex) -> None:
    """Keep the rows of ended runs, besides those that another list has kept and this one has not come to yet.

    A disk that does not take them costs the next list its speed, and no more.
    """
    if not index.has_news:
        return
    there, rows = index.ids, index.to_keep()
    if len(rows) < len(there):
        rows = {id: pair for id, pair in load_index(runs).items() if id in there} | rows
    if len(rows) < _WORTH_KEEPING:
        return
    file = index_cache_file(runs)
    with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(file, _encoder.encode(_Kept(_VERSION, str(runs), rows)))


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_decoder = msgspec.msgpack.Decoder(_Kept, dec_hook=_decode_path)
