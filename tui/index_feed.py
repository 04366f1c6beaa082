"""The feed of the list of runs: a thread that keeps the index and posts it when something in it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.ownership import why_read_only
from runs.summary import RunIndex, RunSummary
from tui.polling_feed import PollingFeed

_POLL_S = 1.0


@dataclass(frozen=True)
class Place:
    """Where a run stands in the queue: 1 is next. reason: what it waits for, as a sentence."""

    number: int
    reason: str


@dataclass
class RunsListed(Message):
    """Every run, newest first.

    places: of those that wait in the queue, by id. read_only: why runs that are not ours cannot be changed, by id.
    """

    rows: tuple[RunSummary, ...]
    places: Mapping[str, Place] = field(default_factory=dict)
    read_only: Mapping[str, str] = field(default_factory=dict)

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsListed)


class IndexFeed(PollingFeed):
    """Reads the runs folder once a second, and posts RunsListed when something in it changed."""

    def __init__(self, runs: Path, target: MessagePump) -> None:
        super().__init__("runs", target, self._read, _POLL_S)
        self._runs = runs
        self._index = RunIndex(runs)
        self._last: RunsListed | None = None

    def _read(self) -> None:
        rows, last = self._index.poll(), self._last
        new = RunsListed(rows, self._places(rows), _read_only(rows))
        is_same = last is not None and rows is last.rows
        if last is None or not is_same or (new.places, new.read_only) != (last.places, last.read_only):
            self._last = new
            self._target.post_message(new)

    def _places(self, rows: tuple[RunSummary, ...]) -> dict[str, Place]:
        if not any(row.status.state == "queued" for row in rows):
            return {}
        from runs.queue import waiting

        return {one.folder.id: Place(one.place, one.reason) for one in waiting(self._runs)}


def _read_only(rows: tuple[RunSummary, ...]) -> dict[str, str]:
    reasons = ((row.id, why_read_only(row.folder)) for row in rows)
    return {id: reason for id, reason in reasons if reason}
