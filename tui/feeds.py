"""The feed of one run: a thread that reads, draws and measures, so that the event loop only shows.

It posts frozen results to the screen, which never touches a file or a series.
"""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass

from textual.message import Message
from textual.message_pump import MessagePump

from runs.console import console_stamp, tail_console
from runs.folder import RunFolder
from runs.hardware_feed import HardwareFeed, HardwareState
from runs.ownership import why_read_only
from runs.reader import RunReader, RunSnapshot
from tui.messages import FeedFailed as FeedFailed
from tui.run_charts import CHARTS, RunChart, spec_of, title_of
from tui.widgets.chart_picture import ChartPicture, ChartSpec, Palette, draw

POLL_S = 0.25
_IDLE_POLL_S = 1.0
_LOOK_S = 0.04  # between two looks at whether a live run recorded something
_POST_S = 0.075  # at least between two snapshots, so that a run that records all the time costs little
_BEHIND_POST_S = 0.25
_YIELD_S = 0.002  # between two slices of a long read, for the thread that shows
_REDRAW_S = 0.5
_LOG_LINES = 500
_JOIN_S = 1.0


@dataclass
class SnapshotArrived(Message):
    """The run stands like this now.

    titles: the charts' titles by name. place: in the queue, 1 is next. read_only: why it is not ours to change.
    """

    snapshot: RunSnapshot
    titles: dict[str, str]
    place: int = 0
    read_only: str = ""

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, SnapshotArrived)


@dataclass
class PictureDrawn(Message):
    """A chart was drawn for a pane."""

    name: str
    picture: ChartPicture

    def can_replace(self, message: Message) -> bool:
        """A newer picture of the same chart makes the older one needless."""
        return isinstance(message, PictureDrawn) and message.name == self.name


@dataclass
class HardwareArrived(Message):
    """New readings, or word that they are old or gone."""

    state: HardwareState

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, HardwareArrived)


@dataclass
class ConsoleArrived(Message):
    """The end of what the processes printed."""

    lines: tuple[str, ...]

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, ConsoleArrived)


@dataclass(frozen=True)
class Wanted:
    """What the screen has room for: sizes of the visible charts by name, and the theme's colours."""

    sizes: tuple[tuple[str, int, int], ...] = ()
    palette: Palette | None = None
    console: bool = False


class RunFeed:
    """Reads one run in a daemon thread between `start` and `stop`, and rests while paused."""

    def __init__(self, folder: RunFolder, target: MessagePump) -> None:
        self._folder = folder
        self._target = target
        self._wanted = Wanted()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._paused = False
        self._reader = RunReader(folder)
        self._hardware = HardwareFeed()
        self._snapshot: RunSnapshot | None = None
        self._standing = (0, "")
        self._posted_at = 0.0
        self._state: HardwareState | None = None
        self._stamp: tuple[int, int, int] | None = None
        self._drawn: dict[str, tuple[object, ...]] = {}
        self._drawn_at: dict[str, float] = {}

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
        """Tell what there is room for now; charts of a new size are drawn at once."""
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
        snapshot = self._reader.poll()
        self._post(snapshot)
        if snapshot.is_behind:
            self._show_progress(snapshot, self._wanted)
            return _YIELD_S
        wait = self._draw_charts(snapshot, self._wanted)
        self._read_hardware(snapshot)
        self._read_console(snapshot, self._wanted)
        if wait and self._reader.keep_cache():
            return _YIELD_S
        return wait

    def _post(self, snapshot: RunSnapshot) -> None:
        standing = (place_of(snapshot), why_read_only(self._folder))
        if snapshot is self._snapshot and standing == self._standing:
            return
        now = time.monotonic()
        if snapshot.is_behind and self._snapshot is not None and now - self._posted_at < _BEHIND_POST_S:
            return
        self._snapshot, self._standing, self._posted_at = snapshot, standing, now
        titles = {chart.name: title_of(chart, snapshot) for chart in CHARTS}
        self._target.post_message(SnapshotArrived(snapshot, titles, *standing))

    def _show_progress(self, snapshot: RunSnapshot, wanted: Wanted) -> None:
        """Where nothing was drawn yet, say how much of a long run has been read."""
        if wanted.palette is None:
            return
        for name, width, height in wanted.sizes:
            if name in self._drawn or snapshot is not self._snapshot:
                continue
            words = ChartSpec(name, empty=f"reading: {snapshot.share_read:.0%}")
            self._target.post_message(PictureDrawn(name, draw(words, {}, width, height, wanted.palette)))

    def _draw_charts(self, snapshot: RunSnapshot, wanted: Wanted) -> float:
        """Draw one chart that changed, each at most twice a second; returns the seconds until the next turn.

        One at a time, since a picture may take as long as a new record may be left waiting.
        """
        wait = POLL_S if snapshot.status.is_live else _IDLE_POLL_S
        if wanted.palette is None:
            return wait
        sizes = {name: (width, height) for name, width, height in wanted.sizes}
        for chart in CHARTS:
            if chart.name not in sizes:
                continue
            size = sizes[chart.name]
            key = (self._versions(chart, snapshot), spec_of(chart, snapshot), size, wanted.palette)
            before = self._drawn.get(chart.name)
            if before == key:
                continue
            now = time.monotonic()
            is_same_place = before is not None and before[2:] == key[2:]
            if is_same_place and now - self._drawn_at[chart.name] < _REDRAW_S:
                wait = POLL_S
                continue
            picture = draw(spec_of(chart, snapshot), snapshot.series, *size, wanted.palette)
            self._drawn[chart.name], self._drawn_at[chart.name] = key, now
            self._target.post_message(PictureDrawn(chart.name, picture))
            return 0.0
        return wait

    def _versions(self, chart: RunChart, snapshot: RunSnapshot) -> tuple[int, ...]:
        return tuple(snapshot.series[name].version for name in chart.metrics if name in snapshot.series)

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
        number = snapshot.status.attempt
        attempt = self._folder.attempt(number)
        stamp = (number, *console_stamp(attempt))
        if stamp != self._stamp:
            self._stamp = stamp
            self._target.post_message(ConsoleArrived(tail_console(attempt, _LOG_LINES)))


def place_of(snapshot: RunSnapshot) -> int:
    """Which place a run has in the queue, 1 for the next; 0 when it does not wait."""
    if snapshot.status.state != "queued":
        return 0
    from runs.queue import waiting

    folder = snapshot.folder
    return next((one.place for one in waiting(folder.path.parent) if one.folder == folder), 0)
