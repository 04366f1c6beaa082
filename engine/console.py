"""What a rank prints: it never fails, also on a full disk, and a log does not grow without end."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import stat
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MOST_LOG_BYTES = 64 << 20
_LAST_WORDS_BYTES = 1 << 20


class UnfailingFile(io.FileIO):
    """An open log that takes everything: what the disk has no room for, or goes beyond the cap, is left out.

    Printing may come from any library; none of them expects that it fails, and training must not end of it.
    """

    def __init__(self, descriptor: int, most_bytes: int = MOST_LOG_BYTES) -> None:
        """descriptor: stays open. most_bytes: beyond them nothing is written, when it is a regular file."""
        super().__init__(descriptor, "wb", closefd=False)
        self.most_bytes = most_bytes
        self._has_said_so = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what can be written; returns the length of all of it. Never raises OSError."""
        content = memoryview(data).cast("B")
        with contextlib.suppress(OSError):
            if not self._is_at_cap():
                os.write(self.fileno(), content)
            elif not self._has_said_so:
                self._has_said_so = True
                os.write(self.fileno(), self._sentence())
        return len(content)

    def allow_last_words(self) -> None:
        """Let a megabyte through beyond the cap: how the process ends must not be missing."""
        self.most_bytes += _LAST_WORDS_BYTES

    def _is_at_cap(self) -> bool:
        status = os.fstat(self.fileno())
        return stat.S_ISREG(status.st_mode) and status.st_size >= self.most_bytes

    def _sentence(self) -> bytes:
        return b"\n(this log has %d MB, and nothing more goes into it until the end)\n" % (self.most_bytes >> 20)


def guard_console() -> None:
    """Put unfailing files under this process's stdout and stderr."""
    sys.stdout, sys.stderr = _stream(1), _stream(2)


def say(line: str) -> None:
    """A line of this rank's stdout, at once."""
    _log(1).write(f"{line}\n".encode("utf-8", "backslashreplace"))


def allow_last_words() -> None:
    """Call it before a traceback is printed at the end: the cap does not hold for it."""
    for descriptor in (1, 2):
        _log(descriptor).allow_last_words()


@functools.cache
def _log(descriptor: int) -> UnfailingFile:
    return UnfailingFile(descriptor)


def _stream(descriptor: int) -> TextIO:
    buffered = io.BufferedWriter(_log(descriptor), buffer_size=1 << 16)
    return io.TextIOWrapper(buffered, "utf-8", "backslashreplace", line_buffering=True)
