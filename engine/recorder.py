"""What a run says of itself: metrics, events and the outcome, written by rank 0 alone."""

from __future__ import annotations

import contextlib
import json
import os
import time
import traceback
from pathlib import Path

import msgspec

from runs.events import Event, Progress
from runs.folder import Attempt, write_atomically
from runs.pace import Pace
from runs.processes import this_host
from runs.records import RecordWriter
from runs.status import ErrorReport, Outcome

_PROGRESS_INTERVAL_S = 0.5


class Recorder:
    """Appends to `metrics.jsonl` and `events.jsonl` of one attempt; silent on every other rank."""

    def __init__(self, attempt: Attempt, is_main: bool) -> None:
        self.attempt = attempt
        self.is_main = is_main
        self._started = time.monotonic()
        self._progress_at = -_PROGRESS_INTERVAL_S
        self._phase = ""
        self._pace = Pace()
        self._step = 0
        self._metrics = RecordWriter(attempt.metrics_file) if is_main else None
        self._events = RecordWriter(attempt.events_file) if is_main else None

    @property
    def elapsed_s(self) -> float:
        """Seconds since this attempt began."""
        return time.monotonic() - self._started

    def metrics(self, step: int, tokens: int, values: dict[str, float]) -> None:
        """One record; a value that is not finite is written as null."""
        self._step = step
        if self._metrics is not None:
            head = {"step": step, "time": time.time(), "elapsed_s": round(self.elapsed_s, 4), "tokens": tokens}
            self._metrics.write({**head, **values})

    def event(self, step: int, event: Event) -> None:
        """One event, with its time and step filled in; it is also a line of the console."""
        if self._events is None:
            return
        self._events.write(msgspec.structs.replace(event, time=time.time(), step=step))
        fields = msgspec.to_builtins(event)
        fields = {name: value for name, value in fields.items() if name not in ("seq", "time", "step", "probes")}
        stamp = time.strftime("%H:%M:%S")
        os.write(1, f"{stamp} step {step} {json.dumps(fields, ensure_ascii=False)}\n".encode())

    def progress(self, phase: str, done: int, total: int, unit: str) -> None:
        """Report a long step with its rate, at most twice a second, but every new phase and every end."""
        now = time.monotonic()
        is_news = phase != self._phase or (total and done >= total)
        if not is_news and now - self._progress_at < _PROGRESS_INTERVAL_S:
            return
        self._phase, self._progress_at = phase, now
        rate, eta = self._pace.measure(phase, done, total, now)
        self.event(self._step, Progress(phase=phase, done=done, total=total, unit=unit, rate=rate, eta_s=eta))

    def sync(self) -> None:
        """Force the records to the disk, before a checkpoint counts."""
        for writer in (self._metrics, self._events):
            if writer is not None:
                writer.sync()

    def outcome(self, outcome: Outcome) -> None:
        """Write how the attempt ended."""
        if self.is_main:
            stamped = msgspec.structs.replace(outcome, elapsed_s=self.elapsed_s, ended=time.time(), exit_code=0)
            write_atomically(self.attempt.outcome_file, msgspec.json.encode(stamped))


def write_error(attempt: Attempt, rank: int, error: BaseException, step: int = 0) -> None:
    """Leave this rank's last words in `ranks/error-<rank>.json`."""
    report = ErrorReport(
        rank=rank,
        exception=type(error).__name__,
        message=str(error),
        traceback="".join(traceback.format_exception(error)),
        time=time.time(),
        monotonic_ns=time.monotonic_ns(),
        step=step,
        host=this_host(),
    )
    with contextlib.suppress(OSError):  # a full disk must not hide the error itself
        attempt.ranks_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path: Path = attempt.ranks_dir / f"error-{rank}.json"
        write_atomically(path, msgspec.json.encode(report))
