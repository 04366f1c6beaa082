"""What a run says of itself: metrics, events and the outcome, written by rank 0 alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable

import msgspec

from engine.console import say
from engine.disk_watch import DiskWatch
from runs.disk import is_full
from runs.events import DiskNoticed, Event, Notice, Progress
from runs.folder import Attempt, write_atomically
from runs.pace import Pace
from runs.records import RecordWriter
from runs.reserve import Reserve, clear_reserves
from runs.status import Outcome

_PROGRESS_INTERVAL_S = 0.5
_OUTCOME_INTERVAL_S = 1.0
_OUTCOME_TRIES = 60  # at a disk that is not full and still does not take it


class Recorder:
    """Appends to `metrics.jsonl` and `events.jsonl` of one attempt; silent on every other rank.

    Where the disk takes no records, for want of room or because a network lost it, recording pauses and training
    does not: what comes waits in memory, an event in the reserve's room says so, and once the disk takes records
    again everything is put down in order.
    """

    def __init__(self, attempt: Attempt, is_main: bool) -> None:
        self.attempt = attempt
        self.is_main = is_main
        self._started = time.monotonic()
        self._progress_at = -_PROGRESS_INTERVAL_S
        self._phase = ""
        self._pace = Pace()
        self._step = self._newest_step = 0
        self._writers: tuple[RecordWriter, ...] = ()
        self._disk: DiskWatch | None = None
        if is_main:
            clear_reserves(attempt)
            self._metrics = RecordWriter(attempt.metrics_file)
            self._events = RecordWriter(attempt.events_file)
            self._writers = (self._metrics, self._events)
            self._disk = DiskWatch(Reserve(attempt), self._say_now)

    @property
    def elapsed_s(self) -> float:
        """Seconds since this attempt began."""
        return time.monotonic() - self._started

    @property
    def disk(self) -> DiskWatch:
        """What pauses for lack of room; rank 0 alone has one."""
        assert self._disk is not None
        return self._disk

    def metrics(self, step: int, tokens: int, values: dict[str, float]) -> None:
        """One record; a value that is not finite is written as null."""
        self._step = step
        self._newest_step = max(step, self._newest_step)
        if self.is_main:
            head = {"step": step, "time": time.time(), "elapsed_s": round(self.elapsed_s, 4), "tokens": tokens}
            self._append(self._metrics, {**head, **values})

    def event(self, step: int, event: Event) -> None:
        """One event, with its time and step filled in; it is also a line of the console."""
        if not self.is_main:
            return
        self._newest_step = max(step, self._newest_step)
        event = msgspec.structs.replace(event, time=time.time(), step=step)
        if self._append(self._events, event):
            _print(event)

    def events(self, step: int, events: Iterable[Event]) -> None:
        """Several events, in their order."""
        for event in events:
            self.event(step, event)

    def warn(self, step: int, message: str) -> None:
        """A warning: of rank 0 an event, of another rank a line of its own log."""
        self.event(step, Notice(level="warning", message=message))
        if not self.is_main:
            sys.stderr.write(f"{message}\n")

    def is_behind(self) -> bool:
        """Whether records wait until the disk takes them, after a new try to put them down."""
        if self.is_main and (self.disk.is_paused("recording") or self._num_waiting()):
            self._catch_up(at_once=True)
        return self._num_waiting() > 0

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
        synced = [writer.sync() for writer in self._writers]
        if not all(synced):
            self._pause()

    def outcome(self, outcome: Outcome) -> None:
        """Write how the attempt ended; on a full disk as soon as there is room. Raises OSError after a minute."""
        if not self.is_main:
            return
        self.disk.close()
        stamped = msgspec.structs.replace(outcome, elapsed_s=self.elapsed_s, ended=time.time(), exit_code=0)
        num_tries = 0
        while True:
            try:
                write_atomically(self.attempt.outcome_file, msgspec.json.encode(stamped))
                break
            except OSError as error:
                num_tries += not is_full(error)
                if num_tries >= _OUTCOME_TRIES:
                    raise
                time.sleep(_OUTCOME_INTERVAL_S)
        for writer in reversed(self._writers):  # events first: they are few, and say more
            writer.flush()

    def _append(self, writer: RecordWriter, record: Event | dict[str, float]) -> bool:
        """Write a record, or let it wait; whether it was written."""
        if self.disk.is_paused("recording") and not self._catch_up():
            writer.hold(record)
            return False
        if writer.write(record):
            return True
        self._pause()
        return False

    def _num_waiting(self) -> int:
        return sum(writer.num_waiting for writer in self._writers)

    def _pause(self) -> None:
        where = self.attempt.path.parent.parent
        problem = next(filter(None, (writer.problem for writer in self._writers)), "")
        self.disk.pause(
            "recording",
            f"the disk of {where} takes no records ({problem}): they wait in memory and training goes on; "
            "this is tried again every second"
            if problem
            else f"the disk of {where} is full: records wait in memory and training goes on; make room on it",
        )

    def _catch_up(self, *, at_once: bool = False) -> bool:
        """Put down what waits, when there is room again; whether all of it is on the disk."""
        if not self.disk.finds_room(at_once=at_once):
            return False
        if not all(writer.flush() and writer.sync() for writer in self._writers):
            self._pause()
            return False
        message = "the disk takes records again, and what waited is recorded"
        num_dropped = sum(writer.num_dropped for writer in self._writers)
        if num_dropped:
            message += f"; {num_dropped:,} records in all were more than could wait, and are lost"
        self.disk.go_on("recording", message)
        return True

    def _say_now(self, event: DiskNoticed) -> None:
        event = msgspec.structs.replace(event, time=time.time(), step=self._newest_step)
        self._events.write(event)
        _print(event)


def _print(event: Event) -> None:
    fields = msgspec.to_builtins(event)
    fields = {name: value for name, value in fields.items() if name not in ("seq", "time", "step", "probes")}
    say(f"{time.strftime('%H:%M:%S')} step {event.step} {json.dumps(fields, ensure_ascii=False)}")
