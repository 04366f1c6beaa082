"""The feed of one run: a thread that reads, draws and measures, so that the event loop only shows.

It posts frozen results to the screen, which never touches a file or a series.
"""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass, field

from textual.message import Message
from textual.message_pump import MessagePump

from runs.console_lines import ConsoleLine, ConsoleReader
from runs.control import Request, pending
from runs.folder import RunFolder
from runs.hardware_feed import HardwareFeed, HardwareState
from runs.ownership import why_read_only
from runs.reader import RunReader, RunSnapshot
from tui.chart_drawer import ChartDrawer, ChartWishes
from tui.chart_drawer import PaneWish as PaneWish
from tui.chart_drawer import PicturesDrawn as PicturesDrawn
from tui.log_words import readable
from tui.messages import FeedFailed as FeedFailed
from tui.setting_words import Changed, changed_settings

POLL_S = 0.25
_IDLE_POLL_S = 1.0
_LOOK_S = 0.04  # between two looks at whether a live run recorded something
_POST_S = 0.075  # at least between two snapshots, so that a run that records all the time costs little
_BEHIND_POST_S = 0.25
_YIELD_S = 0.002  # between two slices of a long read, for the thread that shows
_JOIN_S = 1.0


@dataclass
class SnapshotArrived(Message):
    """The run stands like this now. place: in the queue, 1 is next. read_only: why it is not ours to change.

    asked: requests that nobody has answered yet, oldest first, whoever made them.
    """

    snapshot: RunSnapshot
    place: int = 0
    read_only: str = ""
    asked: tuple[Request, ...] = ()

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, SnapshotArrived)


@dataclass
class HardwareArrived(Message):
    """New readings, or word that they are old or gone."""

    state: HardwareState

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, HardwareArrived)


@dataclass
class ConsoleArrived(Message):
    """What the processes printed, as far as it is kept.

    num_read: the number of the last line, counted from the attempt's first that was read. unended: what no line
    feed has ended yet.
    """

    lines: tuple[ConsoleLine, ...]
    num_read: int
    unended: tuple[ConsoleLine, ...] = ()

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, ConsoleArrived)


@dataclass
class SettingsCompared(Message):
    """What a run that failed sets otherwise than its preset."""

    changed: Changed


@dataclass(frozen=True)
class Wanted:
    """What the screen has room for."""

    charts: ChartWishes = field(default_factory=ChartWishes)
    console: bool = False


class RunFeed:
    """Reads one run in a daemon thread between `start` and `stop`, and rests while paused."""

    def __init__(self, folder: RunFolder, target: MessagePump) -> None:
        self._folder = folder
        self._target = target
        self._wanted = self._last_wanted = Wanted()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._paused = False
        self._reader = RunReader(folder)
        self._hardware = HardwareFeed()
        self._snapshot: RunSnapshot | None = None
        self._standing: tuple[int, str, tuple[Request, ...]] = (0, "", ())
        self._posted_at = 0.0
        self._state: HardwareState | None = None
        self._console: ConsoleReader | None = None
        self._has_compared = False
        self._drawer = ChartDrawer(target.post_message)

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name=f"feed {self._folder.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and its hardware helper; waits a second at most."""
        self._stopping.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def pause(self, paused: bool) -> None:
        """Rest while nobody looks; the hardware helper ends meanwhile."""
        self._paused = paused
        self._awake.set()

    def want(self, wanted: Wanted) -> None:
        """Tell what there is room for now; what a person changed is drawn at once."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._awake.set()

    def look_now(self) -> None:
        """Do not wait for the next turn."""
        self._awake.set()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._awake.clear()
                self._wait(self._turn() if not self._paused else self._rest())
        except Exception:  # noqa: BLE001 - a thread's defect is shown, or nobody would know why nothing moves
            self._target.post_message(FeedFailed(traceback.format_exc()))
        finally:
            self._hardware.close()
            self._reader.close()

    def _wait(self, seconds: float) -> None:
        """Until that long, until somebody wants something, or until a live run has recorded something."""
        until = time.monotonic() + seconds
        looks = not self._paused and self._snapshot is not None and self._snapshot.status.is_live
        while (left := until - time.monotonic()) > 0:
            if self._awake.wait(min(left, _LOOK_S) if looks else left):
                return
            if looks and time.monotonic() - self._posted_at >= _POST_S and self._reader.has_news():
                return

    def _rest(self) -> float:
        self._hardware.close()
        return 60.0

    def _turn(self) -> float:
        """One look at everything; returns the seconds until the next."""
        if self._wanted is not self._last_wanted and self._snapshot is not None:
            self._last_wanted = self._wanted  # what a person asked for comes before what the run did
            self._drawer.draw(self._snapshot, self._last_wanted.charts)
        snapshot = self._reader.poll()
        self._post(snapshot)
        due_s = self._drawer.draw(snapshot, self._wanted.charts)
        if snapshot.is_behind:
            if snapshot.status.is_live:
                self._reader.keep_cache()  # else a run that is always ahead would fill the memory
            return _YIELD_S
        wait = POLL_S if snapshot.status.is_live else _IDLE_POLL_S
        wait = wait if due_s is None else min(wait, due_s)
        self._read_hardware(snapshot)
        self._read_console(snapshot, self._wanted)
        self._compare_settings(snapshot)
        if wait and self._reader.keep_cache():
            return _YIELD_S
        return wait

    def _post(self, snapshot: RunSnapshot) -> None:
        asked = pending(self._folder) if snapshot.status.is_live else ()
        standing = (place_of(snapshot), why_read_only(self._folder), asked)
        if snapshot is self._snapshot and standing == self._standing:
            return
        now = time.monotonic()
        if snapshot.is_behind and self._snapshot is not None and now - self._posted_at < _BEHIND_POST_S:
            return
        self._snapshot, self._standing, self._posted_at = snapshot, standing, now
        self._target.post_message(SnapshotArrived(snapshot, *standing))

    def _read_hardware(self, snapshot: RunSnapshot) -> None:
        if not snapshot.status.is_live:
            self._hardware.close()
            return
        state = self._hardware.poll()
        if state != self._state:
            self._state = state
            self._target.post_message(HardwareArrived(state))

    def _read_console(self, snapshot: RunSnapshot, wanted: Wanted) -> None:
        if not wanted.console and snapshot.status.state not in ("failed", "lost"):
            return
        attempt = self._folder.attempt(snapshot.status.attempt)
        if self._console is None or self._console.attempt != attempt:
            self._console = ConsoleReader(attempt, readable)
        reader = self._console
        if reader.poll():
            self._target.post_message(ConsoleArrived(tuple(reader.lines), reader.num_read, reader.unended()))

    def _compare_settings(self, snapshot: RunSnapshot) -> None:
        """Once it has failed; the presets are read for it."""
        if snapshot.status.state == "failed" and snapshot.config is not None and not self._has_compared:
            self._has_compared = True
            changed = changed_settings(snapshot.config, snapshot.about.preset)
            self._target.post_message(SettingsCompared(changed))


def place_of(snapshot: RunSnapshot) -> int:
    """Which place a run has in the queue, 1 for the next; 0 when it does not wait."""
    if snapshot.status.state != "queued":
        return 0
    from runs.queue import waiting

    folder = snapshot.folder
    return next((one.place for one in waiting(folder.path.parent) if one.folder == folder), 0)
