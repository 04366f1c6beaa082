"""The process that copies a stream into the token cache while a run trains on what is there already.

`python -m engine.data.stream_reader <caches folder> <parent's pid> <sequences>`, the data settings as JSON on its
input. It ends with its parent, or when so many sequences are there to train on. A second one for the same cache
waits at the lock, and goes on when the first one ends early.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from engine.data.documents import DataError, SourceBroke
from engine.data.token_cache import count_shards, locked, repair_or_build
from presets.schema import DataConfig
from runs.cache_format import PROBLEM, PROGRESS, BuildProblem, BuildProgress
from runs.folder import write_atomically
from runs.token_caches import cache_key

_REPORT_EVERY_S = 0.5
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_TICK_S = 0.2


class _Orphaned(Exception):
    """Whoever started this process is gone."""


class _Progress:
    """Writes how far the reading has come, for everybody who waits for it."""

    def __init__(self, folder: Path, parent: int) -> None:
        self._file = folder / PROGRESS
        self._parent = parent  # told by it: asking now may be too late
        self._phase = ""
        self._written = 0.0

    def __call__(self, phase: str, done: int, total: int, unit: str) -> None:
        self.look_for_parent()
        now = time.monotonic()
        if (phase != self._phase or now - self._written >= _REPORT_EVERY_S) and self._file.parent.is_dir():
            self._phase, self._written = phase, now
            with contextlib.suppress(OSError):  # a full disk shows where it matters
                write_atomically(self._file, msgspec.json.encode(BuildProgress(phase, done, total, unit)))

    def look_for_parent(self, *_: object) -> None:
        """Raises _Orphaned when there is nobody left to read for."""
        if os.getppid() != self._parent:
            raise _Orphaned


class _Patience:
    """How long a broken stream is tried again, with longer and longer pauses."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Something came through: begin to count again."""
        self._left = self._seconds
        self._pause = _FIRST_PAUSE_S

    @property
    def is_tried(self) -> bool:
        """There has been a pause since something came through."""
        return self._left < self._seconds

    def wait(self, tick: Callable[[], None]) -> bool:
        """Pause before the next try; False when there is none. tick: called several times a second."""
        pause = min(self._pause, self._left)
        if pause <= 0:
            return False
        self._left -= pause  # pauses alone count: to come back to where it broke off may take longer than that
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        until = time.monotonic() + pause
        while time.monotonic() < until:
            tick()
            time.sleep(_TICK_S)
        return True


def read_stream(data: DataConfig, caches: Path, parent: int, num_sequences: int) -> str:
    """Build as far as asked; a stream that breaks off is tried again. Returns what went wrong, or nothing."""
    key = cache_key(data)
    folder = caches / key
    report = _Progress(folder, parent)
    patience = _Patience(data.stream_patience)
    with locked(caches, key, report.look_for_parent):  # the progress of whoever has the lock stays
        while True:
            folder.mkdir(mode=0o700, exist_ok=True)  # for the progress that others wait for
            num_shards = count_shards(folder)
            try:
                repair_or_build(data, key, folder, report, num_sequences)
                return ""
            except (DataError, OSError) as error:
                message = str(error) or type(error).__name__
                # what was read before can be read again; a mistake in the settings only shows at the beginning
                if not isinstance(error, SourceBroke) and not count_shards(folder) and not patience.is_tried:
                    return _leave_problem(folder, message)
            if count_shards(folder) > num_shards:
                patience.renew()
            phase = f"the stream broke off and is tried again: {message}"
            if not patience.wait(partial(report, phase, 0, 0, "documents")):
                return _leave_problem(folder, message)


def _leave_problem(folder: Path, message: str) -> str:
    folder.mkdir(mode=0o700, exist_ok=True)
    write_atomically(folder / PROBLEM, msgspec.json.encode(BuildProblem(message, time.time())))
    return message


def main() -> int:
    """Read the settings and build. Returns 0 when the cache is complete, 1 when the reading failed."""
    data = msgspec.json.decode(sys.stdin.buffer.read(), type=DataConfig)
    try:
        message = read_stream(data, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except _Orphaned:
        return 1
    if message:
        with contextlib.suppress(OSError):  # on a full disk its log is full, too
            os.write(2, f"the stream of {data.dataset} could not be read: {message}\n".encode())
    return 1 if message else 0


if __name__ == "__main__":
    os._exit(main())  # threads of a download that hangs are not waited for
