"""The feed of the list of runs: a thread that keeps the index and posts it when something in it changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.summary import RunIndex, RunSummary
from tui.polling_feed import PollingFeed

_POLL_S = 1.0


@dataclass
class RunsListed(Message):
    """Every run, newest first."""

    rows: tuple[RunSummary, ...]

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsListed)


class IndexFeed(PollingFeed):
    """Reads the runs folder once a second, and posts RunsListed when something in it changed."""

    def __init__(self, runs: Path, target: MessagePump) -> None:
        super().__init__("runs", target, self._read, _POLL_S)
        self._index = RunIndex(runs)
        self._rows: tuple[RunSummary, ...] | None = None

    def _read(self) -> None:
        rows = self._index.poll()
        if rows is not self._rows:
            self._rows = rows
            self._target.post_message(RunsListed(rows))
