"""What a rank leaves behind when it fails: its exception in `ranks/error-<rank>.json`, its stacks in its log.

Imports nothing heavy, so that a failing import is reported too.
"""

from __future__ import annotations

import contextlib
import faulthandler
import time
import traceback

import msgspec

from runs.cause_words import cause_of_report
from runs.error_report import ErrorReport
from runs.folder import Attempt
from runs.hang_watch import STACKS_SIGNAL
from runs.processes import this_host
from runs.reserve import write_last_words

_STDERR = 2
_RESERVE_BYTES = 4 << 20
_LONGEST = 64 << 10


class LastWords:
    """Keeps some memory in reserve, so that there is room for them when none is left."""

    def __init__(self, attempt: Attempt, rank: int) -> None:
        self._attempt = attempt
        self._rank = rank
        self._reserve = bytearray(_RESERVE_BYTES)
        # a crash in native code, and whoever asks, gets the stacks of all threads into this rank's log
        faulthandler.enable(_STDERR)
        faulthandler.register(STACKS_SIGNAL, _STDERR)

    def say(self, error: BaseException, step: int = 0) -> None:
        """Write what went wrong; a full disk is passed over, it must not hide the error itself."""
        self._reserve.clear()
        report = ErrorReport(
            rank=self._rank,
            exception=type(error).__name__,
            message=str(error)[:_LONGEST],
            traceback="".join(traceback.format_exception(error))[-_LONGEST:],
            time=time.time(),
            monotonic_ns=time.monotonic_ns(),
            step=step,
            host=this_host(),
        )
        report = msgspec.structs.replace(report, cause=cause_of_report(report))
        path = self._attempt.ranks_dir / f"error-{self._rank}.json"
        with contextlib.suppress(OSError):
            self._attempt.ranks_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_last_words(self._attempt, path, msgspec.json.encode(report))
