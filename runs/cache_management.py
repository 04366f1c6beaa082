"""Clearing token caches: refused while something stands against it, and never half done for whoever looks."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from runs.cache_listing import CacheNotFound, cache_folders, lock_file, runs_using
from runs.disk import bytes_under
from runs.folder import runs_dir, token_caches_dir

_TRASH = re.compile(r"\.[0-9a-f]{16}\S*\.cleared")


class CacheBusy(RuntimeError):
    """A build or a live run stands against clearing a cache; the text says which, and what to do."""


def clear(key: str, *, force: bool = False, runs: Path | None = None) -> int:
    """Delete one cache and return how many bytes that freed. Runs keep their checkpoints, and can build it again.

    Raises CacheNotFound; CacheBusy when a build holds its lock, or when a live run uses it and force is false
    (with force that run goes on, since it has the files open); OSError.
    """
    path = token_caches_dir() / key
    if path not in cache_folders():
        raise CacheNotFound(f"there is no token cache {key!r} in {token_caches_dir()}")
    if not force:
        live = [user.name for user in runs_using(runs or runs_dir(), {key}).get(key, ()) if user.is_live]
        if live:
            raise CacheBusy(f"cache {key} is used by {', '.join(live)}, which is live; stop it first, or force it")
    with _held(key):
        num_bytes = bytes_under(path)
        # renamed first: whoever looks sees the whole cache or none
        trash = path.with_name(f".{key}.{secrets.token_hex(4)}.cleared")
        path.rename(trash)
        shutil.rmtree(trash)
    return num_bytes


def clear_all(*, force: bool = False, runs: Path | None = None) -> tuple[int, tuple[str, ...]]:
    """Delete every cache that may be deleted; returns the bytes freed, and a sentence for each that stays.

    Raises OSError.
    """
    freed = 0
    kept: list[str] = []
    for path in cache_folders():
        try:
            freed += clear(path.name, force=force, runs=runs)
        except CacheBusy as error:
            kept.append(str(error))
        except CacheNotFound:
            continue  # somebody else was faster
    return freed + _remove_left_trash(), tuple(kept)


@contextlib.contextmanager
def _held(key: str) -> Iterator[None]:
    """Keep builds of this cache out. Raises CacheBusy at once when one is there."""
    descriptor = os.open(lock_file(key), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise CacheBusy(f"cache {key} is being built now; stop the run or the build that does it first") from None
    finally:
        os.close(descriptor)  # the file stays: another process may already wait for the lock of this very inode


def _remove_left_trash() -> int:
    """Remove what a clearing left that was killed half-way."""
    freed = 0
    for entry in token_caches_dir().glob(".*.cleared"):
        if _TRASH.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            freed += bytes_under(entry)
            shutil.rmtree(entry)
    return freed
