"""Records: one JSON object a line with a CRC; written whole or not at all, read even from a torn file."""

from __future__ import annotations

import errno
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

_SUFFIX_LENGTH = len(b',"crc":"00000000"}')
_READ_BYTES = 4 << 20
_TAIL_BYTES = 64 << 10
_SYNC_INTERVAL_S = 1.0
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def seal(payload: bytes) -> bytes:
    """A JSON object as one line that carries the CRC-32 of the object without it."""
    return payload[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(payload)


def unseal(line: bytes) -> bytes | None:
    """The JSON object of a line without its newline, or None when the line is torn or altered."""
    body, suffix = line[:-_SUFFIX_LENGTH], line[-_SUFFIX_LENGTH:]
    if not suffix.startswith(b',"crc":"') or not suffix.endswith(b'"}'):
        return None
    payload = body + b"}"
    return payload if b"%08x" % zlib.crc32(payload) == suffix[8:16] else None


class RecordWriter:
    """Appends records to a file of its own; one `write()` a record, so a kill loses none that was acknowledged.

    At most the last line stays unfinished: the kernel may cut a write short where it crosses a page.
    A record is acknowledged when `write` returns True. On a full disk it returns False, the file is
    cut back to its last whole record, and later writes try again: recording pauses, training goes on.
    """

    def __init__(self, path: Path) -> None:
        """Raises FileExistsError: a new attempt is a new file, never an old tail continued."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        self._end = 0
        self._seq = 0
        self._synced_at = time.monotonic()
        self.num_dropped = 0

    def write(self, record: Mapping[str, Any] | msgspec.Struct) -> bool:
        """Append one record with the next `seq`. Raises OSError for anything but a full disk."""
        fields = msgspec.to_builtins(record) if isinstance(record, msgspec.Struct) else dict(record)
        line = seal(_encoder.encode({**fields, "seq": self._seq + 1}))
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            written = 0
        if written != len(line):
            if written:  # half a record would glue itself to the next one
                os.ftruncate(self._fd, self._end)
            self.num_dropped += 1
            return False
        self._end += written
        self._seq += 1
        if time.monotonic() - self._synced_at > _SYNC_INTERVAL_S:
            self.sync()
        return True

    def sync(self) -> None:
        """Force what was written to the disk; called at most every second, and before a checkpoint counts."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
        self._synced_at = time.monotonic()

    def close(self) -> None:
        """Sync and close."""
        self.sync()
        os.close(self._fd)


class RecordTail:
    """Reads a growing file of records from where it stopped; keeps back the line that is not finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_skipped = 0
        self._offset = 0
        self._inode = 0
        self._partial = b""

    def poll(self, max_bytes: int = _READ_BYTES) -> list[dict[str, Any]]:
        """The whole, intact records that came since the last call, at most about `max_bytes` of them.

        Torn or altered lines are counted in `num_skipped`. A file that shrank or was replaced is read anew.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._offset, self._partial, self._inode = 0, b"", status.st_ino
                if status.st_size == self._offset:
                    return []
                file.seek(self._offset)
                chunk = file.read(max_bytes)
        except FileNotFoundError:
            return []
        self._offset += len(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        records, num_skipped = decode_lines(lines)
        self.num_skipped += num_skipped
        return records

    def poll_all(self) -> list[dict[str, Any]]:
        """Everything up to the present end of the file."""
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """Everything up to the present end of the file, in pieces that fit in memory."""
        offset = -1
        while offset != self._offset:  # not "until a poll is empty": a stretch may hold only torn lines
            offset = self._offset
            yield self.poll()


def decode_lines(lines: list[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The records of whole, intact lines, and how many lines were torn or altered; empty ones do not count."""
    records: list[dict[str, Any]] = []
    num_skipped = 0
    for line in lines:
        payload = unseal(line)
        if payload is None:
            num_skipped += bool(line)
            continue
        try:
            record = _decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            num_skipped += 1
    return records, num_skipped


def last_records(path: Path, num_bytes: int = _TAIL_BYTES) -> list[dict[str, Any]]:
    """The whole, intact records among the last bytes of a file; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - num_bytes)
            file.seek(start)
            lines = file.read(num_bytes).split(b"\n")
    except OSError:
        return []
    return decode_lines(lines)[0]
