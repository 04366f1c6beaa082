"""Records: one JSON object a line with a CRC; written whole or not at all, read even from a torn file."""

from __future__ import annotations

import errno
import os
import stat
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from runs.disk import is_full
from runs.safe_files import open_file

_SUFFIX_LENGTH = len(b',"crc":"00000000"}')
_READ_BYTES = 4 << 20
_TAIL_BYTES = 64 << 10
_LONGEST_LINE_BYTES = 16 << 20
_TORN = b"\0"  # in front of what is left of a line, so that it never counts as whole
_SYNC_INTERVAL_S = 1.0
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # this file system cannot, which is no failure
_MOST_WAITING_BYTES = 4 << 20  # some ten thousand records
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
    A record is acknowledged when `write` returns True. Where the disk takes none, for want of room or because a
    network lost it, it returns False, the file is cut back to its last whole record, and the record waits in
    memory; later writes put down first what waits, in order. Recording pauses so, and training goes on.

    A file system across a network says often only in a sync, or in a later write, that it lost what it had taken.
    So what came since the last sync is kept, and after any error it waits again, to be written over itself.

    num_dropped: records that waited and were given up for newer ones. problem: why records wait when room is not
    the reason, in the system's words; else empty.
    """

    def __init__(self, path: Path, most_waiting_bytes: int = _MOST_WAITING_BYTES) -> None:
        """Raises FileExistsError: a new attempt is a new file, never an old tail continued."""
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._end = self._synced_end = 0
        self._seq = 0
        self._is_torn = False
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._num_written = 0  # of those that wait, the first: what a reader may have seen already
        self._unsynced: list[bytes] = []
        self._most_waiting_bytes = most_waiting_bytes
        self._synced_at = time.monotonic()
        self.num_dropped = 0
        self.problem = ""

    @property
    def num_waiting(self) -> int:
        """Records that wait in memory until the disk takes them."""
        return len(self._waiting)

    def write(self, record: Mapping[str, Any] | msgspec.Struct) -> bool:
        """Append one record with the next `seq`; False when it waits."""
        line = self._line(record)
        if (self._waiting and not self.flush()) or not self._append(line):
            self._wait_with(line)
            return False
        return time.monotonic() - self._synced_at <= _SYNC_INTERVAL_S or self.sync()

    def hold(self, record: Mapping[str, Any] | msgspec.Struct) -> None:
        """Let a record wait in memory without trying: for whoever knows that it cannot be written."""
        self._wait_with(self._line(record))

    def flush(self) -> bool:
        """Put down what waits, oldest first; whether nothing waits any more."""
        while self._waiting:
            if not self._append(self._waiting[0]):
                return False
            self._waiting_bytes -= len(self._waiting.popleft())
            self._num_written = max(0, self._num_written - 1)
        return True

    def sync(self) -> bool:
        """Force what was written to the disk; at most every second, and before a checkpoint counts.

        False when the disk did not take it: then it waits.
        """
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                self._take_back(error)
                return False
        finally:
            self._synced_at = time.monotonic()
        self._unsynced.clear()
        self._synced_end = self._end
        self.problem = ""
        return True

    def close(self) -> None:
        """Put down what waits, if the disk takes it; sync and close. Raises OSError when closing fails."""
        self.flush()
        self.sync()
        os.close(self._fd)

    def _line(self, record: Mapping[str, Any] | msgspec.Struct) -> bytes:
        fields = msgspec.to_builtins(record) if isinstance(record, msgspec.Struct) else dict(record)
        self._seq += 1
        return seal(_encoder.encode({**fields, "seq": self._seq}))

    def _wait_with(self, line: bytes) -> None:
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        # never what was written, nor the next: a reader may have seen it, or the beginning of it, which the same
        # line has to complete
        oldest = self._num_written + 1
        while self._waiting_bytes > self._most_waiting_bytes and len(self._waiting) > oldest + 1:
            self._waiting_bytes -= len(self._waiting[oldest])
            del self._waiting[oldest]
            self.num_dropped += 1

    def _append(self, line: bytes) -> bool:
        if self._is_torn and not self._cut_back():
            return False  # half a record would glue itself to this one
        try:
            written = os.pwrite(self._fd, line, self._end)
        except OSError as error:
            self._take_back(error)
            return False
        if written == len(line):
            self._end += written
            self._unsynced.append(line)
            return True
        self.problem = ""  # cut short: there is no room
        if written:
            self._is_torn = True
            self._cut_back()
        return False

    def _take_back(self, error: OSError) -> None:
        """Let what came since the last sync wait again: nobody knows what the disk has of it.

        It stays in the file meanwhile, and is written over itself, so that no reader misses it.
        """
        self.problem = "" if is_full(error) else error.strerror or str(error)
        self._waiting.extendleft(reversed(self._unsynced))
        self._waiting_bytes += sum(map(len, self._unsynced))
        self._num_written += len(self._unsynced)
        self._unsynced.clear()
        self._end = self._synced_end

    def _cut_back(self) -> bool:
        try:
            os.ftruncate(self._fd, self._end)
        except OSError:  # a file system that copies on writing may need room even for this
            return False
        self._is_torn = False
        return True


class TailPlace(msgspec.Struct, frozen=True):
    """How far a tail has read. inode: of the file; offset: bytes, at a line's end; num_skipped: torn lines."""

    inode: int
    offset: int
    num_skipped: int


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
        What is no plain file, or may not be read, holds nothing.
        """
        try:
            with open_file(self.path) as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset - len(self._partial):
                    self._offset, self._partial, self._inode = 0, b"", status.st_ino
                elif status.st_size < self._offset:  # without room, the writer cut back its unfinished line
                    self._offset, self._partial = self._offset - len(self._partial), b""
                if status.st_size == self._offset:
                    return []
                file.seek(self._offset)
                chunk = file.read(max_bytes)
                if chunk.startswith(b"\0"):
                    self._skip_zeros(file.fileno(), status.st_size, chunk)
                    return []
        except OSError:
            return []
        self._offset += len(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if len(self._partial) > _LONGEST_LINE_BYTES:  # the rest of it is torn too, whatever follows
            self._partial = _TORN
        records, num_skipped = decode_lines(lines)
        self.num_skipped += num_skipped
        return records

    def _skip_zeros(self, descriptor: int, size: int, chunk: bytes) -> None:
        """Go on behind zeros, which no record has; a file may pretend to a terabyte of them that is not there."""
        try:
            behind = os.lseek(descriptor, self._offset, os.SEEK_DATA)
        except OSError as error:
            behind = size if error.errno == errno.ENXIO else 0  # nothing more comes, or nobody can tell
        self._offset = max(behind, self._offset + len(chunk) - len(chunk.lstrip(b"\0")))
        self._partial = _TORN

    @property
    def place(self) -> TailPlace:
        """Where it stands: behind the last whole line that was read."""
        return TailPlace(self._inode, self._offset - len(self._partial), self.num_skipped)

    def go_to(self, place: TailPlace) -> None:
        """Go on from a place at which another tail of the same file stood."""
        self._inode, self._offset, self.num_skipped = place.inode, place.offset, place.num_skipped
        self._partial = b""

    def num_unread(self) -> int:
        """Bytes that the next polls will read; above 0 also when the file shrank. Cheap: one `stat`."""
        try:
            status = self.path.stat(follow_symlinks=False)
        except OSError:
            return 0
        if not stat.S_ISREG(status.st_mode):
            return 0
        return status.st_size if status.st_ino != self._inode else abs(status.st_size - self._offset)

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


def first_record(path: Path, kind: str, num_bytes: int = _TAIL_BYTES) -> dict[str, Any] | None:
    """The first whole, intact record of a kind among the first bytes of a file; no line after it is decoded."""
    try:
        with open_file(path) as file:
            lines = file.read(num_bytes).split(b"\n")
    except OSError:
        return None
    found = (record for line in lines for record in decode_lines([line])[0])
    return next((record for record in found if record.get("kind") == kind), None)


def last_records(path: Path, num_bytes: int = _TAIL_BYTES) -> list[dict[str, Any]]:
    """The whole, intact records among the last bytes of a file; none when it cannot be read."""
    try:
        with open_file(path) as file:
            start = max(0, os.fstat(file.fileno()).st_size - num_bytes)
            file.seek(start)
            lines = file.read(num_bytes).split(b"\n")
    except OSError:
        return []
    return decode_lines(lines)[0]
