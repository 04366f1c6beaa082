"""One row for each run: what a list shows, without reading whole metrics files."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from presets import corpora
from presets.config import ConfigError
from runs.disk import bytes_under
from runs.events import AttemptStarted, ControlAnswered, DiskNoticed, Evaluated, decode_event
from runs.folder import Attempt, RunFolder, all_runs
from runs.rank_marks import marked_step
from runs.reader import read_error
from runs.records import RecordTail, last_records
from runs.status import Outcome, RunStatus, read_outcome, read_status

_SLICE_BYTES = 256 << 10
_HEAD_BYTES = 16 << 10
_DETAIL_S = 0.05
_NUM_LOSSES = 64
_KINDS = frozenset({"attempt_started", "evaluated", "control_answered", "disk"})
_DISK_FULL = "disk full: make room; until then records or checkpoints wait"


@dataclass(frozen=True)
class RunSummary:
    """What a list shows of a run. Losses are validation losses in nats; elapsed_s is of all attempts.

    losses: the newest evaluations, oldest first. num_bytes: None until it has been counted. Both come a few
    polls later for runs that have ended, so that a long list is there at once.
    root_cause: why it failed. remark: what else one must know beside the state: a full disk, how it was killed.
    """

    folder: RunFolder
    id: str
    name: str
    preset: str
    dataset: str
    status: RunStatus
    step: int
    total_steps: int
    best_loss: float | None
    best_step: int | None
    last_loss: float | None
    elapsed_s: float
    created: float
    tags: tuple[str, ...]
    note: str
    losses: tuple[float, ...]
    num_bytes: int | None
    root_cause: str
    remark: str = ""


class RunIndex:
    """Remembers what it has read: an ended run is read once, a live one by the ends of its files."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._entries: dict[str, _Entry] = {}
        self._rows: tuple[RunSummary, ...] = ()

    def poll(self) -> tuple[RunSummary, ...]:
        """Every run, newest first; the same tuple as before when nothing changed."""
        self._entries = {
            folder.id: self._entries.get(folder.id) or _Entry(folder) for folder in all_runs(self._runs)
        }
        deadline = time.monotonic() + _DETAIL_S
        rows: list[RunSummary] = []
        for entry in self._entries.values():
            row = entry.poll()
            if entry.lacks_details and time.monotonic() < deadline and self._rows:
                row = entry.add_details()
            rows.append(row)
        if len(rows) != len(self._rows) or any(a is not b for a, b in zip(rows, self._rows, strict=True)):
            self._rows = tuple(rows)
        return self._rows


class _Entry:
    """One run of the index."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.lacks_details = True
        self._row: RunSummary | None = None
        self._stamp: tuple[int, ...] = ()
        self._started: AttemptStarted | None = None
        self._total_steps = 0
        self._begun = (0, 0)  # the newest attempt that has begun, and the step it went on from
        self._is_disk_full = False
        self._tails: list[RecordTail] = []
        self._evaluations: list[tuple[int, float]] = []

    def poll(self) -> RunSummary:
        """The run's row; the same object when nothing changed."""
        row = self._row
        if row is not None and not row.status.is_live and self._stamp == _stamp(self.folder, row):
            return row
        new = self._read()
        if row is None or replace(new, num_bytes=row.num_bytes) != row:
            self.lacks_details = not new.status.is_live
            self._row = row = new
        self._stamp = _stamp(self.folder, row)
        return row

    def add_details(self) -> RunSummary:
        """Count the bytes of an ended run and read all its evaluations."""
        self.lacks_details = False
        row = self.poll()
        self._follow(self.folder.attempts(), to_the_end=True)
        losses = tuple(loss for _, loss in self._evaluations[-_NUM_LOSSES:])
        self._row = replace(row, num_bytes=bytes_under(self.folder.path), losses=losses)
        return self._row

    def _read(self) -> RunSummary:
        folder, about, status = self.folder, self.folder.about(), read_status(self.folder)
        attempts = folder.attempts()
        outcomes = [read_outcome(attempt) for attempt in attempts]
        outcome = status.outcome
        if outcome is not None and outcome.best_loss is not None:
            self._started = self._started or _first_start(attempts)
        else:
            self._follow(attempts, to_the_end=not status.is_live)
        best_loss, best_step, last_loss = self._losses(outcome)
        ended = outcomes[-1] if outcomes else None  # also of a run that waits to go on from there
        last = last_records(attempts[-1].metrics_file, _HEAD_BYTES) if attempts and not ended else []
        return RunSummary(
            folder=folder,
            id=folder.id,
            name=about.name,
            preset=about.preset,
            dataset=self._started.dataset if self._started else _planned_dataset(folder),
            status=status,
            step=ended.step if ended else self._live_step(attempts, outcomes, last),
            total_steps=ended.total_steps if ended else self._total_steps,
            best_loss=best_loss,
            best_step=best_step,
            last_loss=last_loss,
            elapsed_s=sum(one.elapsed_s for one in outcomes if one) + _figure(last, "elapsed_s"),
            created=about.created,
            tags=about.tags,
            note=about.note,
            losses=tuple(loss for _, loss in self._evaluations[-_NUM_LOSSES:]),
            num_bytes=None,
            root_cause=_root_cause(attempts, status),
            remark=_remark(status, self._is_disk_full),
        )

    def _live_step(
        self, attempts: tuple[Attempt, ...], outcomes: list[Outcome | None], last: list[dict[str, object]]
    ) -> int:
        """Of an attempt without outcome. What went before holds until its engine says where it goes on."""
        if not attempts:
            return 0
        number, first = self._begun
        if last or number == attempts[-1].number:
            step = max(int(_figure(last, "step")), first if number == attempts[-1].number else 0)
            return max(step, marked_step(attempts[-1])) if self._is_disk_full else step
        return next((one.step for one in reversed(outcomes) if one), first)

    def _losses(self, outcome: Outcome | None) -> tuple[float | None, int | None, float | None]:
        if outcome is not None and outcome.best_loss is not None:
            return outcome.best_loss, outcome.best_step, outcome.last_loss
        if not self._evaluations:
            return None, None, None
        best_loss, best_step = min((loss, step) for step, loss in self._evaluations)
        return best_loss, best_step, self._evaluations[-1][1]

    def _follow(self, attempts: tuple[Attempt, ...], to_the_end: bool) -> None:
        """Read new events; those after the step at which a later attempt began do not count."""
        for attempt in attempts[len(self._tails) :]:
            self._tails.append(RecordTail(attempt.events_file))
        for attempt, tail in zip(attempts, self._tails, strict=False):
            for record in tail.poll_all() if to_the_end else tail.poll(_SLICE_BYTES):
                if record.get("kind") not in _KINDS:
                    continue
                event = decode_event(record)
                if isinstance(event, AttemptStarted):
                    self._started, self._total_steps = event, event.total_steps
                    self._begun, self._is_disk_full = (attempt.number, event.step), False
                    self._evaluations = [pair for pair in self._evaluations if pair[0] <= event.step]
                elif isinstance(event, Evaluated) and event.loss == event.loss:
                    self._evaluations.append((event.step, event.loss))
                elif isinstance(event, ControlAnswered):
                    self._total_steps = event.total_steps or self._total_steps
                elif isinstance(event, DiskNoticed):
                    self._is_disk_full = event.is_full


def _stamp(folder: RunFolder, row: RunSummary) -> tuple[int, ...]:
    """Changes whenever an ended run is edited, started again, or deleted."""
    outcome = folder.attempt(row.status.attempt).outcome_file
    files = (folder.about_file, folder.state_file, folder.path / "attempts", outcome)
    stamps: list[int] = []
    for file in files:
        try:
            stamps.append(file.stat().st_mtime_ns)
        except OSError:
            stamps.append(0)
    return tuple(stamps)


def _first_start(attempts: tuple[Attempt, ...]) -> AttemptStarted | None:
    """The newest attempt's `attempt_started`, found near the beginning of its events."""
    for attempt in reversed(attempts):
        for record in RecordTail(attempt.events_file).poll(_HEAD_BYTES):
            if record.get("kind") == "attempt_started":
                event = decode_event(record)
                return event if isinstance(event, AttemptStarted) else None
    return None


def _planned_dataset(folder: RunFolder) -> str:
    try:
        return corpora.label(folder.config().data)
    except (OSError, ConfigError):
        return ""


def _figure(records: list[dict[str, object]], name: str) -> float:
    value = records[-1].get(name) if records else None
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:  # a whole number beyond every float
        return 0.0


def _remark(status: RunStatus, is_disk_full: bool) -> str:
    if status.is_live:
        return _DISK_FULL if is_disk_full and status.state != "queued" else ""
    outcome = status.outcome
    if outcome is None or outcome.state not in ("stopped", "paused"):
        return ""
    if outcome.left or outcome.num_lost or outcome.exit_code:  # nobody's wish, or not as it was wished
        return outcome.reason
    return ""


def _root_cause(attempts: tuple[Attempt, ...], status: RunStatus) -> str:
    if status.state != "failed":
        return ""
    error = read_error(attempts[-1]) if attempts else None
    if error is None or error.message.partition("\n")[0] in status.reason:
        return status.reason
    return f"rank {error.rank}: {error.exception}: {error.message}"
