"""The threads behind the Playground: one asks the models' process, one listens, one looks at runs."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump

from runs.checkpoint_listing import SavedCheckpoint, has_checkpoints, list_checkpoints
from runs.folder import RunFolder, all_runs
from runs.playground import Request, Said
from runs.playground_process import PlaygroundProcess
from tui.first_text import FirstText, first_text
from tui.messages import FeedFailed
from tui.polling_feed import PollingFeed

_JOIN_S = 1.0
_POLL_S = 2.0


@dataclass
class PlaygroundSaid(Message):
    """The models' process said something."""

    said: Said


@dataclass
class PlaygroundDied(Message):
    """The models' process ended by itself, or could not be started. how: a part of a sentence; report: in full."""

    how: str
    report: str = ""


@dataclass
class CheckpointsSeen(Message):
    """A run's checkpoints, as they are on disk now. begins: the text that a run of its kind begins with."""

    folder: RunFolder
    name: str
    checkpoints: tuple[SavedCheckpoint, ...]
    begins: FirstText


@dataclass
class RunsSeen(Message):
    """The runs that have saved checkpoints, newest first, with their names."""

    runs: tuple[tuple[RunFolder, str], ...]


class PlaygroundFeed:
    """Asks and listens; never blocks who calls it. The process is started with the first request."""

    def __init__(self, target: MessagePump) -> None:
        self._target = target
        self._changed = threading.Condition()
        self._waiting: dict[str, Request] = {}
        self._wants_rest = False
        self._is_stopping = False
        self._process: PlaygroundProcess | None = None
        self._thread = threading.Thread(target=self._run, name="feed playground", daemon=True)

    def start(self) -> None:
        """Begin to take requests."""
        self._thread.start()

    @property
    def pid(self) -> int:
        """Of the models' process; 0 while there is none."""
        process = self._process
        return process.pid if process is not None else 0

    def ask(self, request: Request) -> None:
        """Send it soon; a request of the same slot that has not been sent is dropped."""
        with self._changed:
            self._waiting[request.slot] = request
            self._changed.notify()

    def rest(self) -> None:
        """End the process until somebody asks again: the models' memory is free then."""
        with self._changed:
            self._wants_rest = True
            self._changed.notify()

    def stop(self) -> None:
        """End the thread and the process; waits a second at most."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._process is not None:
            self._process.kill()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            while self._serve_once():
                pass
        except Exception:  # noqa: BLE001 - as in every feed: a defect is shown
            self._target.post_message(FeedFailed(traceback.format_exc()))
        finally:
            self._end()

    def _serve_once(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._wants_rest or self._is_stopping)
            if self._is_stopping:
                return False
            requests, self._waiting = tuple(self._waiting.values()), {}
            rests, self._wants_rest = self._wants_rest, False
        if requests:
            try:
                process = self._process or self._begin()
            except OSError as error:
                self._target.post_message(PlaygroundDied(f"could not be started: {error}"))
                return True
            with contextlib.suppress(ValueError, OSError):  # it has just died, which the listener tells
                for request in requests:
                    process.ask(request)
        elif rests:
            self._end()
        return True

    def _begin(self) -> PlaygroundProcess:
        process = PlaygroundProcess()
        self._process = process
        threading.Thread(target=self._listen, args=(process,), name="playground says", daemon=True).start()
        if self._is_stopping:
            process.kill()
        return process

    def _listen(self, process: PlaygroundProcess) -> None:
        for said in process.said():
            self._target.post_message(PlaygroundSaid(said))
        if process.is_closed:
            return
        process.wait()
        how, report = process.last_words()
        if self._process is process:
            self._process = None
        process.close()
        self._target.post_message(PlaygroundDied(how, report))

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()


class CheckpointsFeed(PollingFeed):
    """Looks at the runs in question every few seconds, and posts CheckpointsSeen when something is new."""

    def __init__(self, target: MessagePump, folders: Callable[[], tuple[RunFolder, ...]]) -> None:
        super().__init__("checkpoints", target, self._see, _POLL_S)
        self._folders = folders
        self._told: dict[RunFolder, CheckpointsSeen] = {}
        self._begins: dict[RunFolder, FirstText] = {}

    def tell_again(self, folder: RunFolder) -> None:
        """Post of this run at once what there is, new or not: somebody has just chosen it."""
        self._told.pop(folder, None)
        self.look_now()

    def _see(self) -> None:
        for folder in self._folders():
            if folder not in self._begins:
                self._begins[folder] = first_text(folder)
            begins = self._begins[folder]
            seen = CheckpointsSeen(folder, folder.about().name, list_checkpoints(folder), begins)
            if self._told.get(folder) != seen:
                self._told[folder] = seen
                self._target.post_message(seen)


def see_runs(runs: Path, target: MessagePump) -> None:
    """Let a thread find the runs that have checkpoints, and post RunsSeen."""

    def see() -> None:
        found = tuple((folder, folder.about().name) for folder in all_runs(runs) if has_checkpoints(folder))
        target.post_message(RunsSeen(found))

    threading.Thread(target=see, name="runs with checkpoints", daemon=True).start()


def see_checkpoints(folder: RunFolder, target: MessagePump) -> None:
    """Let a thread list the checkpoints of a run, and post CheckpointsSeen."""

    def see() -> None:
        target.post_message(CheckpointsSeen(folder, folder.about().name, list_checkpoints(folder), FirstText()))

    threading.Thread(target=see, name="checkpoints of a run", daemon=True).start()
