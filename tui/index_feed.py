"""The feed of the list of runs: a thread that keeps the index and posts it when something in it changed."""

from __future__ import annotations

import threading
import traceback
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.summary import RunIndex, RunSummary
from tui.feeds import FeedFailed

_POLL_S = 1.0
_JOIN_S = 1.0


@dataclass
class RunsListed(Message):
    """Every run, newest first."""

    rows: tuple[RunSummary, ...]

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsListed)


class IndexFeed:
    """Reads the runs folder once a second in a daemon thread, and rests while paused."""

    def __init__(self, runs: Path, target: MessagePump) -> None:
        self._index = RunIndex(runs)
        self._target = target
        self._rows: tuple[RunSummary, ...] | None = None
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._paused = False
        self._thread = threading.Thread(target=self._run, name="feed runs", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits a second at most."""
        self._stopping.set()
        self._awake.set()
        self._thread.join(_JOIN_S)

    def pause(self, paused: bool) -> None:
        """Rest while nobody looks."""
        self._paused = paused
        self._awake.set()

    def look_now(self) -> None:
        """Do not wait for the next turn."""
        self._awake.set()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._awake.clear()
                if not self._paused:
                    rows = self._index.poll()
                    if rows is not self._rows:
                        self._rows = rows
                        self._target.post_message(RunsListed(rows))
                self._awake.wait(_POLL_S if not self._paused else None)
        except Exception:  # noqa: BLE001 - a thread's defect is shown, or nobody would know why nothing moves
            self._target.post_message(FeedFailed(traceback.format_exc()))
