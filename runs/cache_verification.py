"""Whether a token cache is byte for byte what was written: the SHA-256 of every file against its records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from runs.cache_format import MANIFEST, SHARD, SOURCE, TOKENIZER, CacheManifest, ShardRecord, SourceRecord
from runs.cache_listing import CacheNotFound, shards_of
from runs.folder import read_struct, token_caches_dir
from runs.token_caches import shard_folder

_CHUNK = 8 << 20


class Verification(msgspec.Struct, frozen=True):
    """problems: a sentence for every file that is wrong. is_complete: it has its manifest."""

    key: str
    problems: tuple[str, ...]
    is_complete: bool
    num_files: int
    num_bytes: int

    @property
    def is_intact(self) -> bool:
        """Everything that is there is as it was written."""
        return not self.problems

    def sentence(self) -> str:
        """What came of it, for a person."""
        if self.problems:
            return f"{self.key} is damaged: {'; '.join(self.problems)}. The next run that needs it rebuilds it."
        whole = (
            "is intact" if self.is_complete else "is intact so far, and half-built: the next build continues it"
        )
        return f"{self.key} {whole} ({self.num_files} files)"


class _Reader:
    """Counts what it has read for the progress."""

    def __init__(self, report: Callable[[int, int], None] | None, total: int) -> None:
        self._report, self._total = report, total
        self.num_files = self.num_bytes = 0

    def sha256(self, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self.num_bytes += len(chunk)
                if self._report is not None:
                    self._report(self.num_bytes, self._total)
        self.num_files += 1
        return digest.hexdigest()

    def compare(self, path: Path, name: str, digest: str) -> list[str]:
        """Nothing, or a sentence about the file."""
        try:
            return [] if self.sha256(path) == digest else [f"{name} was altered"]
        except FileNotFoundError:
            return [f"{name} is missing"]
        except OSError as error:
            return [f"{name} cannot be read ({error.strerror or error})"]


def verify(key: str, report: Callable[[int, int], None] | None = None) -> Verification:
    """Read a whole cache and compare. report is called with the bytes read so far and their total, and may raise.

    Blocking for as long as the disk needs. Raises CacheNotFound.
    """
    folder = token_caches_dir() / key
    if not folder.is_dir():
        raise CacheNotFound(f"there is no token cache {key!r} in {token_caches_dir()}")
    reader = _Reader(report, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
    source = read_struct(folder / SOURCE, SourceRecord)
    manifest = read_struct(folder / MANIFEST, CacheManifest)
    problems: list[str] = []
    if source is None:
        is_there = (folder / SOURCE).exists()
        missing = "is missing: this is an older format, or a build that has only begun"
        problems.append(f"{SOURCE} {'cannot be read' if is_there else missing}")
    else:
        if source.key != key:
            problems.append(f"{SOURCE} is that of cache {source.key}")
        problems += reader.compare(folder / TOKENIZER, TOKENIZER, source.tokenizer_sha256)
    if manifest is None and (folder / MANIFEST).exists():
        problems.append(f"{MANIFEST} cannot be read")
    elif manifest is not None and manifest.key != key:
        problems.append(f"{MANIFEST} is that of cache {manifest.key}")
    digests: list[str | None] = list(manifest.shards) if manifest else [None] * len(shards_of(folder))
    for index, digest in enumerate(digests):
        problems += _verify_shard(shard_folder(folder, index), digest, reader)
    return Verification(key, tuple(problems), manifest is not None, reader.num_files, reader.num_bytes)


def _verify_shard(folder: Path, digest: str | None, reader: _Reader) -> list[str]:
    problems: list[str] = []
    if digest is not None:
        problems += reader.compare(folder / SHARD, f"{folder.name}/{SHARD}", digest)
    shard = read_struct(folder / SHARD, ShardRecord)
    if shard is None:
        return problems or [f"{folder.name}/{SHARD} cannot be read"]
    for name, expected in sorted(shard.files.items()):
        problems += reader.compare(folder / name, f"{folder.name}/{name}", expected)
    return problems
