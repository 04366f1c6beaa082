"""The rows of all runs, read once and then only where something changed."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path

from runs.folder import all_runs
from runs.run_entry import RunEntry
from runs.run_summary import RunSummary as RunSummary
from runs.run_summary import Stamp

_DETAIL_S = 0.05
_BREATH_EVERY_S = 0.002
_BREATH_S = 0.0002  # so long others have the interpreter, such as the thread that draws, which else may wait 5 ms
_ENDED_A_POLL = 250  # what is looked at each time has its price for as long as a list is open
_LEAST_NEW = 20  # that a poll reads, however long the runs before them took
_SETTLED_NS = 2_000_000_000


class RunIndex:
    """Remembers what it has read: an ended run is read once, a live one by the ends of its files."""

    def __init__(self, runs: Path, kept: Mapping[str, tuple[Stamp, RunSummary]] | None = None) -> None:
        """kept: rows of ended runs as an earlier index left them (`runs.index_cache`); each is checked first."""
        self._runs = runs
        self._kept = dict(kept or {})
        self._entries: dict[str, RunEntry] = {}
        self._rows: tuple[RunSummary, ...] = ()
        self._looks = 0
        self._live: tuple[RunEntry, ...] = ()
        self._is_settled = False  # every row is there with its details
        self._listed_ns = self._listed_at_ns = -1
        self.num_unread = 0
        self.num_changes = 0

    def poll(
        self,
        within_s: float = math.inf,
        *,
        thorough: bool = False,
        details_s: float = _DETAIL_S,
        first: Collection[str] = (),
    ) -> tuple[RunSummary, ...]:
        """Every run, newest first; the same tuple as before when nothing changed.

        within_s: runs that it has not come to by then are left for the next polls, counted in `num_unread`.
        thorough: look at every ended run for edits, not at some of them in turn.
        details_s: how long to read the details of runs that lack them. first: ids of those to begin with.
        """
        self._list_folders()
        self._looks += 1
        if self._is_settled and not thorough:
            return self._look_again()
        started = time.monotonic()
        rows: list[RunSummary] = []
        self.num_unread = num_new = 0
        stride = 1 if thorough else self._stride
        for number, entry in enumerate(self._entries.values()):
            row = entry.row
            if row is None and num_new >= _LEAST_NEW and time.monotonic() - started > within_s:
                self.num_unread += 1
                continue
            num_new += row is None
            if row is None or row.status.is_live or (number + self._looks) % stride == 0:
                row = entry.poll()
            rows.append(row)
        if self._rows and not self.num_unread:
            self._add_details(rows, time.monotonic() + details_s, first)
        self._take(rows)
        return self._rows

    def complete(self) -> tuple[RunSummary, ...]:
        """Every run with all its details, however long that takes."""
        rows = list(self.poll())
        self._add_details(rows, math.inf, ())
        self._take(rows)
        return self._rows

    @property
    def num_live(self) -> int:
        """Runs that move, or wait in the queue."""
        return len(self._live)

    @property
    def lacks_details(self) -> bool:
        """Whether later polls will say more of some runs."""
        return not self._is_settled

    def lacks_details_of(self, ids: Collection[str]) -> bool:
        """Whether later polls will say more of one of these."""
        found = (self._entries.get(id) for id in ids)
        return any(entry is not None and entry.lacks_details for entry in found)

    @property
    def ids(self) -> Collection[str]:
        """Of all runs that are there."""
        return self._entries.keys()

    @property
    def has_news(self) -> bool:
        """Whether some row that could be kept was not among those that were."""
        return any(entry.is_lasting and not entry.is_kept for entry in self._entries.values())

    def to_keep(self) -> dict[str, tuple[Stamp, RunSummary]]:
        """The rows that another index may begin with: of runs that ended, with their details."""
        entries = self._entries.values()
        return {e.folder.id: (e.stamp, e.row) for e in entries if e.row is not None and e.is_lasting}

    @property
    def _stride(self) -> int:
        """Every so many'th ended run is looked at in one poll."""
        return max(1, -(-len(self._entries) // _ENDED_A_POLL))

    def _look_again(self) -> tuple[RunSummary, ...]:
        """Look only at what is live and at some of the others: nothing is done for each of thousands of runs."""
        stride = self._stride
        due = (*self._live, *islice(self._entries.values(), self._looks % stride, None, stride))
        before = [entry.row for entry in due]
        num_changed = sum(entry.poll() is not row for entry, row in zip(due, before, strict=True))
        if num_changed:
            self._take([entry.row or entry.poll() for entry in self._entries.values()])
        return self._rows

    def _take(self, rows: list[RunSummary]) -> None:
        """Keep the rows, and what follows from them; the tuple stays the same when nothing changed."""
        entries = self._entries.values()
        self._is_settled = not self.num_unread and not any(entry.lacks_details for entry in entries)
        self._live = tuple(entry for entry in entries if entry.row is not None and entry.row.status.is_live)
        if len(rows) != len(self._rows) or any(a is not b for a, b in zip(rows, self._rows, strict=True)):
            self._rows = tuple(rows)
            self.num_changes += 1

    def _list_folders(self) -> None:
        """Look for new and deleted runs, when the folder that holds them says that it has changed."""
        try:
            changed_ns = self._runs.stat().st_mtime_ns
        except OSError:
            changed_ns = 0
        if changed_ns == self._listed_ns and changed_ns < self._listed_at_ns - _SETTLED_NS:
            return
        self._listed_ns, self._listed_at_ns = changed_ns, time.time_ns()
        before, self._entries, self._is_settled = self._entries, {}, False
        for folder in all_runs(self._runs):
            self._entries[folder.id] = before.get(folder.id) or RunEntry(folder, self._kept.get(folder.id))
        self._kept = {}

    def _add_details(self, rows: list[RunSummary], deadline: float, first: Collection[str]) -> None:
        behind = [(number, entry) for number, entry in enumerate(self._entries.values()) if entry.lacks_details]
        if first:
            behind.sort(key=lambda pair: pair[1].folder.id not in first)
        breathed = time.monotonic()
        for number, entry in behind:
            now = time.monotonic()
            if now >= deadline:
                return
            if deadline < math.inf and now - breathed > _BREATH_EVERY_S:
                time.sleep(_BREATH_S)
                breathed = time.monotonic()
            rows[number] = entry.add_details()
