"""Follows one run on disk: tails what all its attempts write and gives a frozen snapshot of what holds now."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any

from runs.attempt_tail import AttemptTail, bytes_read, has_news, num_skipped, recorded_s, share_read, whole_s
from runs.eta import EtaEstimator
from runs.events import AttemptStarted, decode_event
from runs.folder import Attempt, RunFolder
from runs.metric_records import in_order, number, numbers
from runs.outcome import read_failure
from runs.rank_marks import marked_step
from runs.run_description import RunDescription
from runs.series_cache import ReadState, load
from runs.series_keeper import CacheKeeper
from runs.series_table import SeriesTable
from runs.snapshot import RunSnapshot as RunSnapshot
from runs.status import ErrorReport, RunStatus, read_status
from runs.story import Story

_SLICE_BYTES = 128 << 10
_SLICE_S = 0.05
_NUM_RATES = 5


class RunReader:
    """Holds the place it has read to in every file; one reader belongs to one thread."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._tails: list[AttemptTail] = []
        self._table = SeriesTable()
        self._story = Story()
        self._best: tuple[float, int] | None = None
        self._eta = EtaEstimator()
        self._step = self._marked_step = 0
        self._time = 0.0
        self._num_out_of_order = 0
        self._version = 0
        self._description = RunDescription(folder)
        self._status = RunStatus("lost")
        self._error: ErrorReport | None = None
        self._snapshot: RunSnapshot | None = None
        self._keeper = CacheKeeper(folder)

    def poll(self) -> RunSnapshot:
        """Read what is new, at most a slice of it, and say what holds now."""
        self._version += self._description.poll()
        self._find_attempts()
        is_behind = self._read_slice()
        status = read_status(self.folder)
        if status != self._status:
            self._status = status
            self._error = self._read_error() if status.state == "failed" else None
            self._version += 1
        if self._marked_step != (marked := self._read_mark()):
            self._marked_step = marked
            self._version += 1
        last = self._snapshot
        if last is None or last.version != self._version or last.is_behind != is_behind:
            self._snapshot = last = self._make_snapshot(is_behind)
        return last

    def has_news(self) -> bool:
        """Whether the newest attempt recorded something that no poll has seen. Cheap: two looks at a file."""
        return has_news(self._tails)

    def keep_cache(self) -> bool:
        """Write a piece of the run's columns to its cache when that is due; True while there is more to write."""
        return self._keeper.keep(bytes_read(self._tails), self._status.is_live, self._read_state, self._table)

    def close(self) -> None:
        """Leave off writing the cache; what was not finished is removed."""
        self._keeper.close()

    def _find_attempts(self) -> None:
        attempts = self.folder.attempts()
        if not self._tails and attempts:
            self._restore(attempts)
        self._tails += [AttemptTail(attempt) for attempt in attempts[len(self._tails) :]]

    def _read_slice(self) -> bool:
        """Read attempts in their order, for a short while; True when there is more to read."""
        deadline = time.monotonic() + _SLICE_S
        for tail in self._tails:
            while True:
                # Events second: what places a record on the step axis was written before the record.
                place = tail.metrics.place
                records = tail.metrics.poll(_SLICE_BYTES)
                self._take_events(tail)
                if records:
                    if tail.first_step is None:
                        tail.first_step = number(records[0].get("step"), 1.0)
                    if not tail.is_placed:
                        self._place(tail, tail.first_step - 1)
                    self._take_records(tail, records)
                    self._version += 1
                elif tail.metrics.place == place:  # else all of it was torn, and the rest may not be
                    break
                if time.monotonic() > deadline:
                    return True
        return False

    def _place(self, tail: AttemptTail, step: float) -> None:
        """An attempt goes on from `step`: hide what earlier attempts recorded after it."""
        tail.is_placed = True
        self._eta = EtaEstimator()
        if tail is self._tails[0] and step <= 0:
            return
        self._story.go_on_from(step)
        self._table.truncate_after(step)
        self._step = min(self._step, int(step))
        self._best = self._table.lowest("val_loss")

    def _take_events(self, tail: AttemptTail) -> None:
        for record in tail.events.poll_all():
            event = decode_event(record)
            self._story.take(event, self._time)
            if isinstance(event, AttemptStarted):
                self._place(tail, event.step)
            self._version += 1

    def _take_records(self, tail: AttemptTail, records: Sequence[dict[str, Any]]) -> None:
        """Add records of an attempt in the order of the file, whole columns at a time: there may be millions."""
        num_records = len(records)
        records = in_order(records, self._step)
        self._num_out_of_order += num_records - len(records)
        if not records:
            return
        self._step = int(records[-1]["step"])
        self._time = max(self._time, *numbers(records, "time"))
        self._story.saw_record(self._time)
        seconds = numbers(records, "elapsed_s", math.nan)
        before_s = recorded_s(self._tails) - tail.elapsed_s
        longest = array("d", accumulate(seconds, max, initial=tail.elapsed_s))[1:]  # a NaN is never the maximum
        tail.elapsed_s = longest[-1]
        for record, elapsed_s in zip(records, seconds, strict=True):
            if "loss" in record:
                if math.isfinite(elapsed_s):
                    self._eta.saw_training(record["step"], elapsed_s)
            elif "val_loss" in record and math.isfinite(elapsed_s):
                self._eta.saw_evaluation()
            if "val_loss" in record:
                loss = number(record["val_loss"])
                if math.isfinite(loss) and (self._best is None or loss < self._best[0]):
                    self._best = (loss, int(record["step"]))
        self._table.extend(records, array("d", [before_s + elapsed_s for elapsed_s in longest]))

    def _read_mark(self) -> int:
        """How far the engine is by its own mark, where records wait for room on the disk; else 0."""
        waits = self._story.is_disk_full and self._status.is_live and self._tails
        return marked_step(self._tails[-1].attempt) if waits else 0

    def _read_error(self) -> ErrorReport | None:
        return read_failure(self.folder, self._tails[-1].attempt) if self._tails else None

    def _length(self) -> int:
        """Steps of the run, as it was started or as somebody changed it; 0 while nobody knows."""
        if self._story.started is not None:
            return self._story.total_steps
        outcome = self._status.outcome
        return outcome.total_steps if outcome else 0

    def _make_snapshot(self, is_behind: bool) -> RunSnapshot:
        total = self._length()
        outcome = self._status.outcome
        # of what is about to end, waits, or cannot record, the last records say nothing
        is_known = self._status.state == "running" and not self._story.is_disk_full
        remaining = self._eta.remaining_s(total) if is_known and total else None
        is_over = self._status.state == "queued" or not self._status.is_live
        return RunSnapshot(
            folder=self.folder,
            about=self._description.about,
            config=self._description.config,
            status=self._status,
            started=self._story.started,
            phase=self._story.phase,
            baselines=self._story.baselines,
            error=self._error,
            step=max(self._step, self._marked_step, outcome.step if outcome else 0),
            total_steps=total,
            elapsed_s=whole_s(self._tails, is_over=is_over),
            eta_s=remaining[0] if remaining else None,
            eta_spread_s=remaining[1] if remaining else None,
            tokens_per_second=self._table.recent_mean("tokens_per_second", _NUM_RATES),
            memory_bytes=self._table.last("memory_allocated_bytes"),
            learning_rate=self._table.last("lr"),
            best_loss=self._best[0] if self._best else None,
            best_step=self._best[1] if self._best else None,
            last_val_loss=self._table.last("val_loss"),
            last_loss=self._table.last("loss"),
            probes=tuple(self._story.probes),
            events=tuple(self._story.events),
            splices=tuple(self._story.splices),
            controls=tuple(self._story.controls),
            series=MappingProxyType(dict(self._table.series)),
            version=self._version,
            num_skipped=self._num_out_of_order + num_skipped(self._tails),
            is_behind=is_behind,
            last_record_time=self._time,
            share_read=share_read(self._tails) if is_behind else 1.0,
            memory_peak_bytes=self._table.highest("memory_peak_bytes"),
        )

    def _restore(self, attempts: tuple[Attempt, ...]) -> None:
        """Begin with the columns that the cache holds, as if their records had been read."""
        found = load(self.folder)
        if found is None:
            return
        state, table = found
        if [tail.attempt for tail in state.tails] != [attempt.number for attempt in attempts[: len(state.tails)]]:
            return
        for attempt, covered in zip(attempts, state.tails, strict=False):
            tail = AttemptTail(attempt)
            self._tails.append(tail)
            tail.metrics.go_to(covered.place)
            tail.first_step, tail.elapsed_s = covered.first_step, covered.elapsed_s
            self._take_events(tail)
            if not tail.is_placed and tail.first_step is not None:
                self._place(tail, tail.first_step - 1)
        self._table, self._best = table, state.best
        self._step, self._time = state.step, state.time
        self._num_out_of_order, self._keeper.num_covered = state.num_out_of_order, state.num_bytes
        self._story.saw_record(self._time)
        self._learn_pace()
        self._version += 1

    def _learn_pace(self) -> None:
        """Show the estimator the last points of the attempt, as their records would have."""
        train = self._table.series.get("loss")
        if train is not None and self._tails:
            before_s = recorded_s(self._tails) - self._tails[-1].elapsed_s
            self._eta.learn(train, self._table.series.get("val_loss"), before_s)

    def _read_state(self) -> ReadState:
        """What is known beside the columns. Raises OSError."""
        last = max((index for index, tail in enumerate(self._tails) if tail.is_placed), default=-1)
        return ReadState(
            tails=tuple(tail.covered() for tail in self._tails[: last + 1]),
            step=self._step,
            time=self._time,
            best=self._best,
            num_out_of_order=self._num_out_of_order,
        )
