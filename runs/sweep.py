"""Sweeps: runs of one configuration with fields varied, started as a queue, and the table of what came of them.

A sweep is no file of its own: its runs carry its id, and their configurations say what it varied. So it lasts as
long as its runs do, and whoever deletes some of them sees the rest.
"""

from __future__ import annotations

import contextlib
import math
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from presets.config import ConfigError, get_value
from presets.fields import Value
from presets.schema import FIELDS, RunConfig
from presets.sweep_axes import Sweep
from runs.folder import RunFolder, create_run
from runs.lock import is_locked
from runs.ownership import ReadOnlyRun
from runs.queue_entry import read_entry
from runs.summary import RunIndex, RunSummary

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_NOT_QUEUED = (OSError, RuntimeError, ValueError)
_NOT_VARIED = ("probes",)  # texts, which no sweep varies


class SweepNotFound(LookupError):
    """No sweep, or more than one, answers to what was asked for; the text says which there are."""


class SweepStopped(RuntimeError):
    """A run of a sweep could not be queued; `started` has those that were, in order."""

    def __init__(self, message: str, started: tuple[RunFolder, ...]) -> None:
        super().__init__(message)
        self.started = started


@dataclass(frozen=True)
class SweepRow:
    """One run of a sweep. place: by best validation loss, 1 is best, 0 while it has none.

    values: what it has in the varied fields.
    """

    place: int
    run: RunSummary
    values: Mapping[str, Value]

    @property
    def is_best(self) -> bool:
        return self.place == 1


@dataclass(frozen=True)
class SweepTable:
    """What came of a sweep. paths: the varied fields. rows: the best first, those without a loss last."""

    id: str
    paths: tuple[str, ...]
    rows: tuple[SweepRow, ...]

    @property
    def num_over(self) -> int:
        """Runs that have ended or failed."""
        return sum(map(_is_over, (row.run for row in self.rows)))

    @property
    def num_idle(self) -> int:
        """Runs that never began, and wait no more."""
        return sum(not row.run.status.is_live for row in self.rows) - self.num_over


@dataclass(frozen=True)
class SweepSummary:
    """One line of the list of sweeps. created: of its first run, Unix s. best: None before any evaluation."""

    id: str
    num_runs: int
    num_over: int
    best: RunSummary | None
    created: float


def new_sweep_id(preset: str) -> str:
    """Such as `quickstart-7k2m`."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", preset.lower()).strip("-.")[:32] or "sweep"
    return f"{slug}-{''.join(secrets.choice(_ALPHABET) for _ in range(4))}"


def start_sweep(
    runs: Path,
    sweep: Sweep,
    *,
    preset: str,
    id: str,
    despite_logout: bool = False,
    begun: Callable[[int, RunFolder], None] = lambda number, folder: None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> tuple[RunFolder, ...]:
    """Make and queue a run for every point, in order; they carry the sweep's id, which is a tag of theirs too.

    All get their places in the queue before the first of them is started, so that a sweep is queued whole or not
    at all, whatever becomes of this process: whoever looks at the queue next starts the supervisors that lack.
    begun: is told of each, from 1, once its supervisor waits. is_wanted: asked before each; a no leaves that to
    others. Whoever calls it has asked about unknown settings, data and logouts. Off the event loop: half a second
    a run. Raises SweepStopped, with those that are queued all the same.
    """
    from runs import queue

    made: list[RunFolder] = []
    try:
        for point in sweep.points:
            made.append(create_run(runs, point.config, name=point.name, preset=preset))
            about = msgspec.structs.replace(made[-1].about(), sweep=id, tags=("sweep", id))
            made[-1].write_about(about)
        entries = queue.enter(made, despite_logout=despite_logout)
    except _NOT_QUEUED as error:
        _take_back(made)
        raise SweepStopped(f"none of the {len(sweep.points)} runs was queued: {error}", ()) from error
    except BaseException:  # such as ctrl+c
        _take_back(made)
        raise
    for number, (folder, entry) in enumerate(zip(made, entries, strict=True), start=1):
        if not is_wanted():
            break
        try:
            queue.attend(folder, entry)
        except _NOT_QUEUED as error:
            left = _take_back(made[number - 1 :])
            kept = tuple(folder for folder in made if folder not in left)
            others = f"the first {len(kept)} are in the queue" if kept else "none is in the queue"
            message = f"run {number} of {len(made)} ({folder.about().name}) could not be queued; {others}: {error}"
            raise SweepStopped(message, kept) from error
        begun(number, folder)
    return tuple(made)


def _take_back(made: Iterable[RunFolder]) -> tuple[RunFolder, ...]:
    """Take runs that this process has just made out of the queue, and away; those that have begun stay."""
    from runs.queue import withdraw

    gone: list[RunFolder] = []
    for folder in made:
        with contextlib.suppress(OSError, ReadOnlyRun):
            withdraw(folder)
            if not is_locked(folder) and not folder.attempts() and read_entry(folder) is None:
                shutil.rmtree(folder.path, ignore_errors=True)
                gone.append(folder)
    return tuple(gone)


def sweep_table(runs: Path, id: str) -> SweepTable:
    """What came of a sweep so far. id: or a unique beginning of one, or `last`. Raises SweepNotFound."""
    rows = RunIndex(runs).poll()
    return SweepReader(runs, find_sweep(rows, id)).table_of(rows)


def sweeps(rows: Iterable[RunSummary]) -> tuple[SweepSummary, ...]:
    """Every sweep of these runs, the newest first."""
    members: dict[str, list[RunSummary]] = {}
    for row in rows:
        if row.sweep:
            members.setdefault(row.sweep, []).append(row)
    found = [_summary(id, of_it) for id, of_it in members.items()]
    return tuple(sorted(found, key=lambda one: one.created, reverse=True))


def find_sweep(rows: Iterable[RunSummary], reference: str) -> str:
    """The id of the sweep that is meant. Raises SweepNotFound."""
    ids = [one.id for one in sweeps(rows)]
    if not ids:
        how = "`tinytrain-tui sweep PRESET --grid optim.lr=1e-4,1e-3 --start` makes one"
        raise SweepNotFound(f"there is no sweep yet; {how}")
    if reference == "last":
        return ids[0]
    matches = [id for id in ids if id == reference] or [id for id in ids if id.startswith(reference)]
    if len(matches) != 1:
        told = "means several sweeps" if matches else "is no sweep"
        raise SweepNotFound(f"{reference!r} {told}; there are {', '.join((matches or ids)[:8])}")
    return matches[0]


class SweepReader:
    """Reads a sweep again and again: the index remembers ended runs, and configurations never change."""

    def __init__(self, runs: Path, id: str) -> None:
        self.id = id
        self._index = RunIndex(runs)
        self._configs: dict[str, RunConfig | None] = {}
        self._seen: tuple[RunSummary, ...] = ()
        self._table = SweepTable(id, (), ())

    def poll(self) -> SweepTable:
        """The table; the same object as before when nothing changed."""
        return self.table_of(self._index.poll())

    def table_of(self, rows: Iterable[RunSummary]) -> SweepTable:
        """The table from a list of all runs."""
        members = tuple(row for row in rows if row.sweep == self.id)
        if members != self._seen:
            self._seen = members
            self._table = self._make(members)
        return self._table

    def _make(self, members: tuple[RunSummary, ...]) -> SweepTable:
        for row in members:
            if row.id not in self._configs:
                self._configs[row.id] = _config(row.folder)
        configs = {row.id: config for row in members if (config := self._configs[row.id]) is not None}
        paths = varied_paths(configs.values())
        ordered = sorted(members, key=lambda row: (loss_of(row), row.id))
        rows = [
            SweepRow(
                place if math.isfinite(loss_of(row)) else 0,
                row,
                {path: get_value(configs[row.id], path) for path in paths} if row.id in configs else {},
            )
            for place, row in enumerate(ordered, start=1)
        ]
        return SweepTable(self.id, paths, tuple(rows))


def varied_paths(configs: Iterable[RunConfig]) -> tuple[str, ...]:
    """The fields in which these configurations differ, in the schema's order."""
    first, *others = tuple(configs) or (RunConfig(),)
    return tuple(
        spec.path
        for spec in FIELDS
        if spec.section not in _NOT_VARIED
        and any(get_value(other, spec.path) != get_value(first, spec.path) for other in others)
    )


def _is_over(run: RunSummary) -> bool:
    return not run.status.is_live and run.status.attempt > 0


def loss_of(row: RunSummary) -> float:
    """The best validation loss, infinite where there is none."""
    loss = row.best_loss
    return loss if loss is not None and math.isfinite(loss) else math.inf


def _summary(id: str, members: list[RunSummary]) -> SweepSummary:
    best = min(members, key=loss_of)
    num_over = sum(map(_is_over, members))
    has_loss = math.isfinite(loss_of(best))
    return SweepSummary(id, len(members), num_over, best if has_loss else None, min(r.created for r in members))


def _config(folder: RunFolder) -> RunConfig | None:
    try:
        return folder.config()
    except (OSError, ConfigError):
        return None
