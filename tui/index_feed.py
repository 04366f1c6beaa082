"""The feed of the list of runs: a thread that keeps the index and posts it when something in it changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.index_cache import load_index, save_index
from runs.summary import RunIndex, RunSummary
from runs.trash_use import TrashMeter, TrashUse
from tui.places import Place as Place
from tui.polling_feed import PollingFeed

_POLL_S = 1.0
_QUIET_S = 2.0  # when there are many and none of them is live
_MANY = 500
_DETAILS_S = 0.3  # of reading sizes and curves, then the list is drawn anew with those that came
_IN_SIGHT_S = 0.05  # the same, while some of them are looked at
_FIRST_S = 0.2  # of reading, then what there is by then is shown
_NEXT_S = 0.6  # the same after that: drawing thousands of rows anew takes its time from the reading of others
_BEHIND_S = 0.02  # of rest between two such looks
_TRASH_S = 0.05  # of counting what deleted runs take of the disk
_SAVE_S = 30.0


@dataclass
class RunsListed(Message):
    """Every run, newest first.

    places: of those that wait in the queue, by id. num_unread: runs that the next messages will list too.
    trash: what deleted runs take of the disk.
    """

    rows: tuple[RunSummary, ...]
    places: Mapping[str, Place] = field(default_factory=dict)
    num_unread: int = 0
    trash: TrashUse = field(default_factory=TrashUse)

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsListed)


class IndexFeed(PollingFeed):
    """Reads the runs folder once a second, and posts RunsListed when something in it changed.

    The rows of ended runs are kept in a file, so that the next list of thousands is there at once: as soon as all
    of them are read, and from then on now and then.
    """

    def __init__(self, runs: Path, target: MessagePump) -> None:
        super().__init__("runs", target, self._read, _POLL_S)
        self._runs = runs
        self._index: RunIndex | None = None
        self._trash = TrashMeter(runs)
        self._last: RunsListed | None = None
        self._is_thorough = True
        self._saved_at, self._num_saved, self._was_behind = time.monotonic(), 0, True
        self._in_sight: frozenset[str] = frozenset()

    def look_now(self) -> None:
        """Do not wait for the next turn, and look at every run."""
        self._is_thorough = True
        super().look_now()

    def look_first(self, ids: frozenset[str]) -> None:
        """The details of these runs come before those of the others: they are in sight."""
        self._in_sight = ids

    def stop(self) -> None:
        """End the thread, and keep what was read."""
        super().stop()
        self._keep()

    def _read(self) -> None:
        if self._index is None:
            self._index = RunIndex(self._runs, load_index(self._runs))
        index, last = self._index, self._last
        thorough, self._is_thorough = self._is_thorough, False
        in_sight, within_s, details_s, trash = self._in_sight, _FIRST_S, 0.0, TrashUse()
        if last is not None:
            within_s, trash = _NEXT_S, last.trash
        if last is not None and not index.num_unread:  # until the list is whole, nothing else is read
            details_s = _IN_SIGHT_S if index.lacks_details_of(in_sight) else _DETAILS_S
            trash = self._trash.poll(_TRASH_S)
        rows = index.poll(within_s, thorough=thorough, details_s=details_s, first=in_sight)
        new = RunsListed(rows, self._places(rows), index.num_unread, trash)
        if last is None or rows is not last.rows or new != last:
            self._last = new
            self._target.post_message(new)
        is_behind = index.lacks_details or not trash.is_counted
        rests_s = _QUIET_S if len(rows) > _MANY and not index.num_live else _POLL_S
        self._every_s = 0.0 if index.num_unread else _BEHIND_S if is_behind else rests_s
        if (not is_behind and self._was_behind) or time.monotonic() - self._saved_at > _SAVE_S:
            self._keep()
        self._was_behind = is_behind

    def _keep(self) -> None:
        index = self._index
        if index is None or index.num_changes == self._num_saved or index.num_unread:
            return
        self._saved_at, self._num_saved = time.monotonic(), index.num_changes
        save_index(self._runs, index)

    def _places(self, rows: tuple[RunSummary, ...]) -> dict[str, Place]:
        if not any(row.status.state == "queued" for row in rows):
            return {}
        from runs.queue import waiting

        return {one.folder.id: Place(one.place, one.reason) for one in waiting(self._runs)}
