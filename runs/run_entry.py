"""How the row of one run is read: from its outcome, or the ends of its files, without whole metrics files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from presets import corpora
from presets.config import ConfigError
from presets.fields import Value
from runs.events import AttemptStarted, ControlAnswered, DiskNoticed, Evaluated, decode_event
from runs.folder import Attempt, RunFolder
from runs.ownership import why_read_only
from runs.rank_marks import marked_step
from runs.records import RecordTail, first_record, last_records
from runs.run_details import last_figures, sizes_of
from runs.run_settings import settings_of
from runs.run_summary import RunSummary, Stamp
from runs.status import Outcome, RunStatus, read_error, read_outcome, read_status

_SLICE_BYTES = 256 << 10
_HEAD_BYTES = 16 << 10
_DETAILS = ("num_bytes", "checkpoint_bytes", "num_checkpoints")
_NUM_LOSSES = 64
_KINDS = frozenset({"attempt_started", "evaluated", "control_answered", "disk"})
_DISK_FULL = "disk full: make room; until then records or checkpoints wait"


class RunEntry:
    """One run of the index. kept: its row as it was read some time, which holds while its files are the same."""

    def __init__(self, folder: RunFolder, kept: tuple[Stamp, RunSummary] | None = None) -> None:
        self.folder = folder
        self.lacks_details = True
        self.is_kept = False
        self.row: RunSummary | None = None
        self.stamp: Stamp = ()
        self._settings: Mapping[str, Value] | None = None
        self._started: AttemptStarted | None = None
        self._total_steps = 0
        self._begun = (0, 0)  # the newest attempt that has begun, and the step it went on from
        self._is_disk_full = False
        self._tails: list[RecordTail] = []
        self._evaluations: list[tuple[int, float]] = []
        if kept is not None and kept[1].folder == folder and kept[0] == _stamp(folder, kept[1].status.attempt):
            self.stamp, self.lacks_details, self.is_kept = kept[0], False, True
            self.row = replace(kept[1], read_only=why_read_only(folder))
            self._settings = self.row.settings

    @property
    def is_lasting(self) -> bool:
        """Whether the row holds for as long as the run's files stay the same, whoever looks at them."""
        row = self.row
        return row is not None and not self.lacks_details and row.status.outcome is not None

    def poll(self) -> RunSummary:
        """The run's row; the same object when nothing changed."""
        row = self.row
        if row is not None and not row.status.is_live and self.stamp == _stamp(self.folder, row.status.attempt):
            return row
        new, self.is_kept = self._read(), False
        if row is None or replace(new, **{name: getattr(row, name) for name in _DETAILS}) != row:
            self.lacks_details = not new.status.is_live or self._settings is None
            self.row = row = new
        self.stamp = _stamp(self.folder, row.status.attempt)
        return row

    def add_details(self) -> RunSummary:
        """Read the settings; of an ended run count the bytes too, and read all its evaluations."""
        self.lacks_details = False
        row = self.poll()
        self.lacks_details = False
        if self._settings is None:
            self._settings = settings_of(self.folder)
        row = replace(row, settings=self._settings)
        if not row.status.is_live:
            attempts = self.folder.attempts()
            self._follow(attempts, to_the_end=True)
            losses = tuple(loss for _, loss in self._evaluations[-_NUM_LOSSES:])
            total, in_checkpoints, num_checkpoints = sizes_of(self.folder)
            row = replace(
                row,
                losses=losses,
                num_bytes=total,
                checkpoint_bytes=in_checkpoints,
                num_checkpoints=num_checkpoints,
                figures=last_figures(attempts),
            )
        self.row = row
        return row

    def _read(self) -> RunSummary:
        folder, about, status = self.folder, self.folder.about(), read_status(self.folder)
        outcome = status.outcome
        # what ended with its first attempt, as nearly all do, has no other one: thousands need not be listed again
        attempts = (folder.attempt(1),) if outcome and status.attempt == 1 else folder.attempts()
        outcomes = [
            outcome if outcome and attempt.number == status.attempt else read_outcome(attempt)
            for attempt in attempts
        ]
        if outcome is None or outcome.best_loss is None:  # else the events are details
            self._follow(attempts, to_the_end=not status.is_live)
        best_loss, best_step, last_loss = self._losses(outcome)
        ended = outcomes[-1] if outcomes else None  # also of a run that waits to go on from there
        last = last_records(attempts[-1].metrics_file, _HEAD_BYTES) if attempts and not ended else []
        return RunSummary(
            folder=folder,
            id=folder.id,
            name=about.name,
            preset=about.preset,
            dataset=about.dataset or self._dataset(attempts),
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
            settings=self._settings,
            figures=_numbers(last),
            read_only=why_read_only(folder),
            root_cause=_root_cause(attempts, status),
            remark=_remark(status, self._is_disk_full),
            group=about.group,
            pinned=about.pinned,
            archived=about.archived,
            sweep=about.sweep,
            forked_from=about.forked_from,
        )

    def _dataset(self, attempts: tuple[Attempt, ...]) -> str:
        """Of a run whose description does not name it: what it trained on, or shall train on."""
        if self._started is not None:
            return self._started.dataset
        for attempt in reversed(attempts):
            record = first_record(attempt.events_file, "attempt_started", _HEAD_BYTES)
            event = decode_event(record) if record is not None else None
            if isinstance(event, AttemptStarted):
                return event.dataset
        try:
            return corpora.label(self.folder.config().data)
        except (OSError, ConfigError):
            return ""

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


def _stamp(folder: RunFolder, attempt: int) -> Stamp:
    """Changes whenever an ended run is edited, started again, queued, or deleted."""
    base = str(folder.path)
    stamps: list[int] = []
    for file in (base, f"{base}/about.json", f"{base}/state.json", f"{base}/attempts/{attempt:04d}/outcome.json"):
        try:
            status = os.lstat(file)
            stamps += (status.st_ino, status.st_mtime_ns)
        except OSError:
            stamps += (0, 0)
    return tuple(stamps)


def _figure(records: list[dict[str, object]], name: str) -> float:
    value = records[-1].get(name) if records else None
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:  # a whole number beyond every float
        return 0.0


def _numbers(records: list[dict[str, object]]) -> Mapping[str, float]:
    """The newest value of every metric in the records, by its name."""
    found: dict[str, float] = {}
    for record in records:
        found |= {
            name: _figure([record], name) for name, value in record.items() if isinstance(value, int | float)
        }
    return found


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
