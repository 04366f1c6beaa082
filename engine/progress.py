"""This rank's mark: where it is, for whoever wonders which rank the others wait for (`runs.rank_marks`)."""

from __future__ import annotations

import os
import time

import msgspec

from runs.folder import Attempt, write_atomically
from runs.oom_killer import oom_kills
from runs.processes import this_process
from runs.rank_marks import MARK_BYTES, RankProcess, mark_file, process_file

_MARK = b'{"step":%d,"phase":"%b","collectives":%d,"waits":%b,"time":%.3f}'


class ProgressMark:
    """Overwrites this rank's mark; one system call of about 1 µs, and nothing ever fails for want of a mark."""

    def __init__(self, attempt: Attempt | None = None, rank: int = 0, num_ranks: int = 1) -> None:
        """attempt: None for a mark that nobody reads, as in tests and tools."""
        self._attempt, self._rank, self._num_ranks = attempt, rank, num_ranks
        self._step, self._phase, self._collectives = 0, b"starting", 0
        self._file: int | None = None
        if attempt is not None:
            self._open(attempt)
            self._introduce(0.0)
            self._write(waits=False)

    @property
    def step(self) -> int:
        """The step that was marked last."""
        return self._step

    def at(self, phase: str, step: int | None = None) -> None:
        """This rank comes to a phase, as in "in evaluation" (ASCII), and where it is given to a step."""
        self._phase = phase.encode("ascii")
        if step is not None:
            self._step = step
        self._write(waits=False)

    def enter(self) -> None:
        """This rank enters a collective, and may have to wait for others there."""
        self._collectives += 1
        self._write(waits=True)

    def leave(self) -> None:
        """The others came too. Not called after an error: then the mark goes on saying where this rank was."""
        self._write(waits=False)

    def limit(self, seconds: float) -> None:
        """Say after how long waiting in a collective is an error."""
        self._introduce(seconds)

    def _open(self, attempt: Attempt) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            attempt.ranks_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(mark_file(attempt, self._rank), flags, 0o600)
        except OSError:
            self._file = None

    def _introduce(self, limit_s: float) -> None:
        if self._attempt is None:
            return
        process = RankProcess(this_process(), self._rank, self._num_ranks, limit_s, oom_kills())
        try:
            write_atomically(process_file(self._attempt, self._rank), msgspec.json.encode(process))
        except OSError:
            return

    def _write(self, *, waits: bool) -> None:
        if self._file is None:
            return
        mark = _MARK % (self._step, self._phase, self._collectives, b"true" if waits else b"false", time.time())
        try:
            os.pwrite(self._file, mark.ljust(MARK_BYTES), 0)
        except OSError:  # a full disk: the marks stand still, training does not
            return


NO_MARK = ProgressMark()
"""For those who train without a run's folder."""
