"""A little room on the disk that a live run holds, so that it can say that there is no more, and how it ended."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from runs.disk import is_full
from runs.folder import Attempt, write_atomically

RESERVE_BYTES = 256 << 10


class Reserve:
    """A file of the attempt whose room is allocated; giving it up makes room for a few last words."""

    def __init__(self, attempt: Attempt) -> None:
        self.path = attempt.path / "reserve"

    def take(self) -> bool:
        """Allocate the room, or find it allocated; False when there is none, and then nothing is left of it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o600)
            try:
                _allocate(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> bool:
        """Free the room; whether there was any. Never raises."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


def write_last_words(attempt: Attempt, path: Path, content: bytes) -> None:
    """Replace a file atomically; without room, give up the attempt's reserve and try once more. Raises OSError."""
    try:
        write_atomically(path, content)
    except OSError as error:
        if not is_full(error) or not Reserve(attempt).give_up():
            raise
        write_atomically(path, content)


def clear_reserves(attempt: Attempt) -> None:
    """Free what earlier attempts of the run that were killed still hold."""
    with contextlib.suppress(OSError):
        for path in attempt.path.parent.glob("[0-9]*/reserve"):
            if path.parent != attempt.path:
                path.unlink(missing_ok=True)


def _allocate(descriptor: int) -> None:
    """Make the file's blocks real; a file of holes would hold nothing. Raises OSError."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, RESERVE_BYTES)
        return
    missing = RESERVE_BYTES - os.fstat(descriptor).st_size  # macOS has no such call
    while missing > 0:
        os.lseek(descriptor, 0, os.SEEK_END)
        missing -= os.write(descriptor, os.urandom(missing))
