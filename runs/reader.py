"""Follows one run on disk: tails what all its attempts write and gives a frozen snapshot of what holds now."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from presets.config import ConfigError
from presets.schema import RunConfig
from runs.eta import EtaEstimator
from runs.events import AttemptStarted, Baselines, ControlAnswered, Event, Probed, Progress, decode_event
from runs.folder import About, Attempt, RunFolder, read_struct
from runs.records import RecordTail
from runs.series import Series
from runs.status import ErrorReport, RunStatus, read_status

_SLICE_BYTES = 128 << 10
_SLICE_S = 0.05
_NUM_EVENTS = 500
_NUM_PROBES = 1024
_NUM_CONTROLS = 200
_NUM_RATES = 5
_COLUMNS = frozenset({"seq", "step", "time", "elapsed_s", "tokens"})


@dataclass(frozen=True)
class RunSnapshot:
    """A run as it stands; the same object as before when nothing changed.

    series: live columns by metric, to be read only in the thread that polls; `version` rises with every
    change. splices: steps at which a resume began. controls: granted requests, oldest first.
    events: without probes and progress, oldest first.
    elapsed_s: of all attempts. memory_bytes: what the engine's first process says it holds. num_skipped:
    torn, altered or out-of-order records. is_behind: more is
    waiting to be read, so poll again at once.
    """

    folder: RunFolder
    about: About
    config: RunConfig | None
    status: RunStatus
    started: AttemptStarted | None
    phase: Progress | None
    baselines: Baselines | None
    error: ErrorReport | None
    step: int
    total_steps: int
    elapsed_s: float
    eta_s: float | None
    eta_spread_s: float | None
    tokens_per_second: float | None
    memory_bytes: float | None
    learning_rate: float | None
    best_loss: float | None
    best_step: int | None
    last_val_loss: float | None
    last_loss: float | None
    probes: tuple[Probed, ...]
    events: tuple[Event, ...]
    splices: tuple[int, ...]
    controls: tuple[ControlAnswered, ...]
    series: Mapping[str, Series]
    version: int
    num_skipped: int
    is_behind: bool
    last_record_time: float


class _AttemptTail:
    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.metrics = RecordTail(attempt.metrics_file)
        self.events = RecordTail(attempt.events_file)
        self.is_placed = False  # its place on the step axis is known
        self.elapsed_s = 0.0


class RunReader:
    """Holds the place it has read to in every file; one reader belongs to one thread."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._tails: list[_AttemptTail] = []
        self._series: dict[str, Series] = {}
        self._events: deque[Event] = deque(maxlen=_NUM_EVENTS)
        self._probes: list[Probed] = []
        self._splices: list[int] = []
        self._controls: list[ControlAnswered] = []
        self._total_steps = 0
        self._started: AttemptStarted | None = None
        self._phase: Progress | None = None
        self._baselines: Baselines | None = None
        self._best: tuple[float, int] | None = None
        self._eta = EtaEstimator()
        self._step = 0
        self._time = 0.0
        self._num_out_of_order = 0
        self._version = 0
        self._about = About(name=folder.id)
        self._config: RunConfig | None = None
        self._stamps: dict[str, int] = {}
        self._status = RunStatus("lost")
        self._error: ErrorReport | None = None
        self._snapshot: RunSnapshot | None = None

    def poll(self) -> RunSnapshot:
        """Read what is new, at most a slice of it, and say what holds now."""
        self._read_descriptions()
        self._find_attempts()
        is_behind = self._read_slice()
        status = read_status(self.folder)
        if status != self._status:
            self._status = status
            self._error = self._read_error() if status.state == "failed" else None
            self._version += 1
        last = self._snapshot
        if last is None or last.version != self._version or last.is_behind != is_behind:
            self._snapshot = last = self._make_snapshot(is_behind)
        return last

    def _read_descriptions(self) -> None:
        if self._changed("about.json"):
            self._about = self.folder.about()
            self._version += 1
        if self._changed("config.toml"):
            try:
                self._config = self.folder.config()
            except (OSError, ConfigError):
                self._config = None  # a damaged config hides no curve
            self._version += 1

    def _changed(self, name: str) -> bool:
        try:
            stamp = (self.folder.path / name).stat().st_mtime_ns
        except OSError:
            stamp = 0
        before = self._stamps.get(name, -1)
        self._stamps[name] = stamp
        return stamp != before

    def _find_attempts(self) -> None:
        for attempt in self.folder.attempts()[len(self._tails) :]:
            self._tails.append(_AttemptTail(attempt))

    def _read_slice(self) -> bool:
        """Read attempts in their order, for a short while; True when there is more to read."""
        deadline = time.monotonic() + _SLICE_S
        for tail in self._tails:
            while True:
                # Events second: what places a record on the step axis was written before the record.
                records = tail.metrics.poll(_SLICE_BYTES)
                for event in tail.events.poll_all():
                    self._take_event(tail, decode_event(event))
                if not records:
                    break
                if not tail.is_placed:
                    self._place(tail, _number(records[0].get("step"), 1.0) - 1)
                for record in records:
                    self._take_record(tail, record)
                self._version += 1
                if time.monotonic() > deadline:
                    return True
        return False

    def _place(self, tail: _AttemptTail, step: float) -> None:
        """An attempt goes on from `step`: hide what earlier attempts recorded after it."""
        tail.is_placed = True
        self._eta = EtaEstimator()
        if tail is self._tails[0] and step <= 0:
            return
        self._splices = [splice for splice in self._splices if splice < step] + [int(step)]
        for series in self._series.values():
            series.truncate_after(step)
        self._probes = [probed for probed in self._probes if probed.step <= step]
        self._controls = [control for control in self._controls if control.step <= step]
        self._step = min(self._step, int(step))
        self._best = self._find_best()

    def _take_event(self, tail: _AttemptTail, event: Event) -> None:
        self._version += 1
        if isinstance(event, Progress):
            if event.time >= self._time:  # else a later record has shown that the wait is over
                self._phase = event
            return
        if isinstance(event, Probed):
            self._probes.append(event)
            if len(self._probes) > _NUM_PROBES:  # thin out the older half
                middle = _NUM_PROBES // 2
                self._probes = self._probes[:middle:2] + self._probes[middle:]
            return
        if isinstance(event, AttemptStarted):
            self._started, self._phase = event, None
            self._total_steps = event.total_steps
            self._place(tail, event.step)
        elif isinstance(event, Baselines):
            self._baselines = event
        elif isinstance(event, ControlAnswered):
            self._total_steps = event.total_steps or self._total_steps
            if event.accepted:
                self._controls = [*self._controls[-_NUM_CONTROLS:], event]
        self._events.append(event)

    def _take_record(self, tail: _AttemptTail, record: Mapping[str, Any]) -> None:
        step, elapsed_s = _number(record.get("step")), _number(record.get("elapsed_s"))
        if not math.isfinite(step) or step < self._step:
            self._num_out_of_order += 1
            return
        self._step = int(step)
        self._time = max(self._time, _number(record.get("time"), 0.0))
        if self._phase is not None and self._time > self._phase.time:
            self._phase = None
        if math.isfinite(elapsed_s):
            tail.elapsed_s = max(tail.elapsed_s, elapsed_s)
            if "loss" in record:
                self._eta.saw_training(step, elapsed_s)
            elif "val_loss" in record:
                self._eta.saw_evaluation()
        for name, value in record.items():
            if name in _COLUMNS or not (value is None or isinstance(value, int | float)):
                continue
            self._series.setdefault(name, Series()).append(
                step,
                _number(value),
                time=_number(record.get("time"), 0.0),
                elapsed_s=self._elapsed_s(),
                tokens=_number(record.get("tokens"), 0.0),
            )
        loss = _number(record.get("val_loss"))
        if math.isfinite(loss) and (self._best is None or loss < self._best[0]):
            self._best = (loss, int(step))

    def _find_best(self) -> tuple[float, int] | None:
        losses = self._series.get("val_loss")
        pairs = zip(losses.value, losses.step, strict=True) if losses else ()
        return min(((value, int(step)) for value, step in pairs if value == value), default=None)

    def _elapsed_s(self) -> float:
        return sum(tail.elapsed_s for tail in self._tails)

    def _read_error(self) -> ErrorReport | None:
        return read_error(self._tails[-1].attempt) if self._tails else None

    def _tokens_per_second(self) -> float | None:
        rates = self._series.get("tokens_per_second")
        recent = [rate for rate in rates.value[-_NUM_RATES:] if rate == rate] if rates else []
        return sum(recent) / len(recent) if recent else None

    def _length(self) -> int:
        """Steps of the run, as it was started or as somebody changed it; 0 while nobody knows."""
        if self._started is not None:
            return self._total_steps
        outcome = self._status.outcome
        return outcome.total_steps if outcome else 0

    def _make_snapshot(self, is_behind: bool) -> RunSnapshot:
        total = self._length()
        remaining = self._eta.remaining_s(total) if self._status.is_live and total else None
        return RunSnapshot(
            folder=self.folder,
            about=self._about,
            config=self._config,
            status=self._status,
            started=self._started,
            phase=self._phase,
            baselines=self._baselines,
            error=self._error,
            step=self._step,
            total_steps=total,
            elapsed_s=self._elapsed_s(),
            eta_s=remaining[0] if remaining else None,
            eta_spread_s=remaining[1] if remaining else None,
            tokens_per_second=self._tokens_per_second(),
            memory_bytes=_last(self._series.get("memory_allocated_bytes")),
            learning_rate=_last(self._series.get("lr")),
            best_loss=self._best[0] if self._best else None,
            best_step=self._best[1] if self._best else None,
            last_val_loss=_last(self._series.get("val_loss")),
            last_loss=_last(self._series.get("loss")),
            probes=tuple(self._probes),
            events=tuple(self._events),
            splices=tuple(self._splices),
            controls=tuple(self._controls),
            series=MappingProxyType(dict(self._series)),
            version=self._version,
            num_skipped=self._num_out_of_order
            + sum(tail.metrics.num_skipped + tail.events.num_skipped for tail in self._tails),
            is_behind=is_behind,
            last_record_time=self._time,
        )


def read_error(attempt: Attempt) -> ErrorReport | None:
    """The root cause of a failed attempt, or None when nothing readable was left."""
    return read_struct(attempt.error_file, ErrorReport)


def _number(value: object, default: float = math.nan) -> float:
    return float(value) if isinstance(value, int | float) else default


def _last(series: Series | None) -> float | None:
    return series.last() if series else None
