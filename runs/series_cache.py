"""The metrics of a run as columns in one file, so that ten million points are there at once.

`cache/series.bin`: eight bytes that name the format, the columns one after the other as the machine holds them, an
index in JSON, its length and CRC-32. It says how far it covers the records, and is left aside when they are others
than it was made of, or when a checksum does not hold: then the records are read, and nothing is lost.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from array import array
from pathlib import Path
from typing import Any

import msgspec

from runs.columns import Column, ColumnFile
from runs.folder import RunFolder
from runs.ownership import why_read_only
from runs.pyramid import FACTOR, Level
from runs.records import TailPlace
from runs.safe_files import open_file
from runs.series import Axis, Series
from runs.series_table import SeriesTable

FILE_NAME = "series.bin"
MAGIC = b"ttseries"
VERSION = 1
END = struct.Struct("<QI")
MOST_INDEX_BYTES = 16 << 20
MOST_BYTES = 4 << 30  # of the whole file; more than a hundred million points
_CHECKED_BYTES = 4096
_PIECE_BYTES = 1 << 20


class ColumnEntry(msgspec.Struct, frozen=True):
    """Where a column stands: bytes from the start of the file, numbers of eight bytes, CRC-32."""

    offset: int
    count: int
    crc: int


class MetricEntry(msgspec.Struct, frozen=True):
    """The columns of a metric. levels: of its pyramid, as far as it was built, in the order of their columns."""

    name: str
    value: ColumnEntry
    gaps: ColumnEntry
    levels: tuple[tuple[ColumnEntry, ...], ...]


class GroupEntry(msgspec.Struct, frozen=True):
    """Metrics on one axis."""

    axis: tuple[ColumnEntry, ...]
    metrics: tuple[MetricEntry, ...]


class CoveredTail(msgspec.Struct, frozen=True):
    """How far the records of an attempt are in the columns.

    mtime_ns: of the file, 0 when it may have grown since. check: CRC-32 of the last bytes that are covered.
    first_step: of its records, None without any. The rest is what the reader knows of the attempt.
    """

    attempt: int
    place: TailPlace
    size: int
    mtime_ns: int
    check: int
    elapsed_s: float
    first_step: float | None


class ReadState(msgspec.Struct, frozen=True):
    """What a reader knows when it has read the records up to there, beside the columns."""

    tails: tuple[CoveredTail, ...]
    step: int
    time: float
    best: tuple[float, int] | None
    num_out_of_order: int

    @property
    def num_bytes(self) -> int:
        """Of the records that are covered."""
        return sum(tail.place.offset for tail in self.tails)


class Index(msgspec.Struct, frozen=True):
    version: int
    byte_order: str
    state: ReadState
    groups: tuple[GroupEntry, ...]


class _Damaged(Exception):
    pass


def cover(attempt: int, path: Path, place: TailPlace, elapsed_s: float, first_step: float | None) -> CoveredTail:
    """Describe how far an attempt's records were read. Raises OSError when they cannot be looked at."""
    size, mtime_ns, check = 0, 0, 0
    if place.offset:
        status, check = _look_at(path, place.offset)
        size, mtime_ns = status.st_size, status.st_mtime_ns
    return CoveredTail(attempt, place, size, mtime_ns, check, elapsed_s, first_step)


def load(folder: RunFolder) -> tuple[ReadState, SeriesTable] | None:
    """The columns of a run, whole and verified, or None when there are none that hold for its records."""
    try:
        with open_file(folder.cache_dir / FILE_NAME) as file:
            index = _read_index(file.fileno())
            # one that covers nothing would hold for every run
            if not index.state.num_bytes or not all(_still_holds(folder, tail) for tail in index.state.tails):
                return None
            is_ours = not why_read_only(folder)  # what others may change at any time is taken into memory
            return index.state, _read_table(file.fileno(), index, stays_in_file=is_ours)
    except (OSError, _Damaged, struct.error, ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _read_index(file: int) -> Index:
    status = os.fstat(file)
    if status.st_size > MOST_BYTES or os.pread(file, len(MAGIC), 0) != MAGIC:
        raise _Damaged
    length, crc = END.unpack(os.pread(file, END.size, status.st_size - END.size))
    if length > min(MOST_INDEX_BYTES, status.st_size):
        raise _Damaged
    content = os.pread(file, length, status.st_size - END.size - length)
    if zlib.crc32(content) != crc:
        raise _Damaged
    index = msgspec.json.decode(content, type=Index)
    if index.version != VERSION or index.byte_order != sys.byteorder:
        raise _Damaged
    return index


def _still_holds(folder: RunFolder, tail: CoveredTail) -> bool:
    """The records that are covered are the ones that are there."""
    if not tail.place.offset:
        return True
    status, check = _look_at(folder.attempt(tail.attempt).metrics_file, tail.place.offset)
    is_grown = status.st_size > tail.size
    return (
        status.st_ino == tail.place.inode
        and (is_grown or (status.st_size == tail.size and status.st_mtime_ns == tail.mtime_ns))
        and check == tail.check
    )


def _look_at(path: Path, offset: int) -> tuple[os.stat_result, int]:
    with open_file(path) as file:
        start = max(0, offset - _CHECKED_BYTES)
        return os.fstat(file.fileno()), zlib.crc32(os.pread(file.fileno(), offset - start, start))


class _Columns:
    """Takes the columns of a file one after the other, as they were written; no byte is taken twice."""

    def __init__(self, file: int, stays_in_file: bool) -> None:
        self._file = file
        self._at = len(MAGIC)
        self._size = os.fstat(file).st_size
        self._kept = ColumnFile(file) if stays_in_file else None

    def read_into(self, column: Column | array[Any], entry: ColumnEntry, length: int) -> None:
        """Fill an empty column of that length, or let it rest on the file. Raises _Damaged."""
        num_bytes = 8 * length
        if (entry.offset, entry.count) != (self._at, length) or not 0 <= num_bytes <= self._size - self._at:
            raise _Damaged
        resting = column if isinstance(column, Column) and self._kept else None
        crc = 0
        for start in range(self._at, self._at + num_bytes, _PIECE_BYTES):
            piece = os.pread(self._file, min(_PIECE_BYTES, self._at + num_bytes - start), start)
            crc = zlib.crc32(piece, crc)
            if resting is None:
                column.extend(array(column.typecode, piece))
        if resting is not None and self._kept is not None:
            resting.rest_on(self._kept, self._at, length)
        if len(column) != length or crc != entry.crc:
            raise _Damaged
        self._at += num_bytes


def _read_table(file: int, index: Index, stays_in_file: bool) -> SeriesTable:
    columns = _Columns(file, stays_in_file)
    table = SeriesTable()
    for group in index.groups:
        axis, length = Axis(), group.axis[0].count
        for column, entry in zip(axis.columns, group.axis, strict=True):
            columns.read_into(column, entry, length)
        found: dict[str, Series] = {}
        for metric in group.metrics:
            series = found[metric.name] = Series(axis)
            columns.read_into(series.value, metric.value, length)
            columns.read_into(series.gaps, metric.gaps, min(length, metric.gaps.count))
            below = length
            for entries in metric.levels:
                level = Level()
                below = min(below // FACTOR, entries[0].count)
                for own, entry in zip(level.columns, entries, strict=True):
                    columns.read_into(own, entry, below)
                series.pyramid.levels.append(level)
        table.add_group(axis, found)
    return table
