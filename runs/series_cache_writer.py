"""Writes the columns of a run as `runs.series_cache` reads them, in pieces, while they go on growing."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
import zlib
from array import array
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import msgspec

from runs.columns import Column, ColumnFile, Numbers
from runs.folder import RunFolder
from runs.heap import give_back_memory
from runs.safe_files import make_folder
from runs.series_cache import (
    END,
    FILE_NAME,
    MAGIC,
    MOST_BYTES,
    MOST_INDEX_BYTES,
    VERSION,
    ColumnEntry,
    GroupEntry,
    Index,
    MetricEntry,
    ReadState,
)
from runs.series_table import SeriesTable

_PIECE_BYTES = 4 << 20
_KEPT_FREE_BYTES = 1 << 30  # of the disk: a cache must never be what fills it
_LEFTOVER_S = 3600.0


def write_pieces(folder: RunFolder, state: ReadState, table: SeriesTable) -> Generator[None]:
    """Write the columns as they are now, a few milliseconds' work at a time, while they go on growing.

    The file takes its name when it is whole, and the columns rest on it from then on; a table that hid points
    meanwhile ends it without one. It is not forced to the disk, since a torn one is seen when it is read. Raises
    OSError, also when the disk is nearly full or the columns are too large to be kept.
    """
    generation = table.generation
    plan = _Plan(table)
    make_folder(folder.cache_dir)
    with _opened(folder.cache_dir) as directory:
        _need_room(directory, plan.num_bytes)
        _remove_leftovers(directory)
        temporary = f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o600, dir_fd=directory)
        try:
            _write(file, MAGIC)
            crcs: list[int] = []
            for column, count in plan.columns:
                crc = 0
                for start in range(0, count, _PIECE_BYTES // 8):
                    if table.generation != generation:
                        return
                    piece = column[start : min(count, start + _PIECE_BYTES // 8)].tobytes()
                    _write(file, piece)
                    crc = zlib.crc32(piece, crc)
                    yield
                crcs.append(crc)
            index = msgspec.json.encode(Index(VERSION, sys.byteorder, state, plan.entries(crcs)))
            _write(file, index + END.pack(len(index), zlib.crc32(index)))
            os.rename(temporary, FILE_NAME, src_dir_fd=directory, dst_dir_fd=directory)
            temporary = ""
            if table.generation == generation:
                plan.rest_on(ColumnFile(file))
                give_back_memory()
        finally:
            os.close(file)
            if temporary:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=directory)


class _Plan:
    """Which columns are written, in which order, and how much of each: what is there at this moment."""

    def __init__(self, table: SeriesTable) -> None:
        self.columns: list[tuple[Numbers | array[int], int]] = []
        self._groups: list[list[tuple[str, int]]] = []
        for group in table.groups:
            metrics: list[tuple[str, int]] = []
            self._add(group.axis.columns)
            for name in sorted(group.names):
                series = table.series[name]
                levels = series.pyramid.levels
                metrics.append((name, len(levels)))
                self._add((series.value, series.gaps))
                for level in levels:
                    self._add(level.columns)
            self._groups.append(metrics)

    @property
    def num_bytes(self) -> int:
        return 8 * sum(count for _, count in self.columns)

    def _add(self, columns: Sequence[Numbers | array[int]]) -> None:
        self.columns += [(column, len(column)) for column in columns]

    def rest_on(self, file: ColumnFile) -> None:
        """Let the columns go from memory that stand in the file now."""
        offset = len(MAGIC)
        for column, count in self.columns:
            if isinstance(column, Column):
                column.rest_on(file, offset, count)
            offset += 8 * count

    def entries(self, crcs: list[int]) -> tuple[GroupEntry, ...]:
        offset, entries = len(MAGIC), []
        for (_, count), crc in zip(self.columns, crcs, strict=True):
            entries.append(ColumnEntry(offset, count, crc))
            offset += 8 * count
        left = iter(entries)

        def take(number: int) -> tuple[ColumnEntry, ...]:
            return tuple(next(left) for _ in range(number))

        groups = []
        for metrics in self._groups:
            axis = take(4)
            kept = []
            for name, num_levels in metrics:
                value, gaps = take(2)
                kept.append(MetricEntry(name, value, gaps, tuple(take(4) for _ in range(num_levels))))
            groups.append(GroupEntry(axis, tuple(kept)))
        return tuple(groups)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A folder itself, never what a link in its place points to. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _need_room(directory: int, num_bytes: int) -> None:
    if num_bytes > MOST_BYTES - MOST_INDEX_BYTES:
        raise OSError("the columns of this run are too large to be kept")
    disk = os.fstatvfs(directory)
    if disk.f_bavail * disk.f_frsize < num_bytes + _KEPT_FREE_BYTES:
        raise OSError("the disk is nearly full, so the columns of this run are not kept")


def _remove_leftovers(directory: int) -> None:
    """What a killed reader left; one that is at work now has a younger file."""
    for name in os.listdir(directory):
        if name.startswith(f".{FILE_NAME}.") and name.endswith(".tmp"):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime > _LEFTOVER_S:
                    os.unlink(name, dir_fd=directory)


def _write(file: int, content: bytes) -> None:
    done = 0
    with memoryview(content) as view:
        while done < len(view):
            done += os.write(file, view[done:])
