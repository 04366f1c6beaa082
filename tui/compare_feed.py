"""The feed of Compare: a thread that reads several runs, lays them side by side and draws their curves."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from textual.message import Message
from textual.message_pump import MessagePump

from runs.compare import Comparison, comparison_of
from runs.disk import bytes_under
from runs.events import Probed
from runs.folder import RunFolder
from runs.reader import RunReader, RunSnapshot
from tui.charts.crosshair import with_cursor
from tui.charts.picture import ChartPicture, draw, words_alone
from tui.compare_curves import WantedCurves, spec_of, values_at
from tui.metric_words import in_order
from tui.polling_feed import PollingFeed

_POLL_S = 0.25
_IDLE_POLL_S = 1.0
_COMPARE_S = 0.5  # at least between two comparisons of runs that record all the time
_COUNT_S = 30.0  # between two looks at how much disk a live run takes
_YIELD_S = 0.002


@dataclass
class RunsCompared(Message):
    """The runs stand like this beside one another. metrics: what at least one of them recorded, in order.

    share_read: of what they recorded. probes: of each run, oldest first. snapshots: in the order of the runs.
    gone: those whose folders are no longer there.
    """

    comparison: Comparison
    snapshots: tuple[RunSnapshot, ...]
    metrics: tuple[str, ...]
    probes: tuple[tuple[Probed, ...], ...]
    share_read: float = 1.0
    gone: tuple[RunFolder, ...] = ()

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, RunsCompared)


@dataclass
class CurvesDrawn(Message):
    """The curves of a metric. values: of each run, at the crosshair or the newest; folders: whose they are."""

    metric: str
    picture: ChartPicture
    values: tuple[float | None, ...]
    folders: tuple[RunFolder, ...]

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, CurvesDrawn)


class CompareFeed(PollingFeed):
    """Reads the runs between `start` and `stop`, and rests while paused. Others may be asked for at any time."""

    def __init__(self, target: MessagePump) -> None:
        super().__init__("compare", target, self._turn, _IDLE_POLL_S, self._close_readers)
        self._folders: tuple[RunFolder, ...] = ()
        self._wanted = WantedCurves()
        self._readers: dict[str, RunReader] = {}
        self._snapshots: tuple[RunSnapshot, ...] = ()
        self._sizes: dict[str, tuple[float, str, int]] = {}  # when they were counted, the state then, bytes
        self._compared: tuple[object, ...] = ()
        self._compared_at = -math.inf
        self._drawn: tuple[object, ...] = ()
        self._drawn_at = -math.inf
        self._picture: ChartPicture | None = None

    def compare(self, folders: tuple[RunFolder, ...]) -> None:
        """Read these runs from now on; what is known of those that stay is kept."""
        self._folders = folders
        self.look_now()

    def want(self, wanted: WantedCurves) -> None:
        """Draw it like this from now on, at once."""
        if wanted != self._wanted:
            self._wanted = wanted
            self.look_now()

    def _close_readers(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _turn(self) -> float:
        """One look at everything; returns the seconds until the next."""
        folders, wanted = self._folders, self._wanted
        self._keep_readers(folders)
        if not folders:
            self._snapshots, self._compared, self._drawn = (), (), ()
            return _IDLE_POLL_S
        if self._snapshots and self._is_same_place(folders):
            self._draw(folders, wanted)  # how one looks at it is answered before anything is read
        self._snapshots = tuple(self._readers[folder.id].poll() for folder in folders)
        is_behind = any(snapshot.is_behind for snapshot in self._snapshots)
        wait = self._compare(folders, is_behind)
        self._draw(folders, wanted)
        if is_behind:
            for snapshot in self._snapshots:
                if snapshot.is_behind and snapshot.status.is_live:  # one always ahead would fill the memory
                    self._readers[snapshot.folder.id].keep_cache()
            return _YIELD_S
        if any(self._readers[folder.id].keep_cache() for folder in folders):
            return _YIELD_S
        is_live = any(snapshot.status.is_live for snapshot in self._snapshots)
        return min(wait, _POLL_S if is_live else _IDLE_POLL_S)

    def _is_same_place(self, folders: tuple[RunFolder, ...]) -> bool:
        return tuple(snapshot.folder for snapshot in self._snapshots) == folders

    def _keep_readers(self, folders: tuple[RunFolder, ...]) -> None:
        ids = {folder.id for folder in folders}
        for id in [id for id in self._readers if id not in ids]:
            self._readers.pop(id).close()
            self._sizes.pop(id, None)
        for folder in folders:
            self._readers.setdefault(folder.id, RunReader(folder))

    def _compare(self, folders: tuple[RunFolder, ...], is_behind: bool) -> float:
        """Post a comparison when something in it changed; returns the seconds until it may be made again."""
        gone = tuple(folder for folder in folders if not folder.path.is_dir())
        key = (folders, tuple(snapshot.version for snapshot in self._snapshots), (is_behind, gone))
        if key == self._compared:
            return _IDLE_POLL_S
        now = time.monotonic()
        since = now - self._compared_at
        if self._compared[:1] == key[:1] and self._compared[2:] == key[2:] and since < _COMPARE_S:
            return _COMPARE_S - since
        self._compared, self._compared_at = key, now
        sizes = [None if is_behind else self._size(snapshot) for snapshot in self._snapshots]
        names = dict.fromkeys(name for snapshot in self._snapshots for name in snapshot.series)
        shares = [snapshot.share_read for snapshot in self._snapshots]
        self._target.post_message(
            RunsCompared(
                comparison_of(self._snapshots, sizes),
                self._snapshots,
                in_order(tuple(names)),
                tuple(snapshot.probes for snapshot in self._snapshots),
                sum(shares) / len(shares),
                gone,
            )
        )
        return _COMPARE_S

    def _size(self, snapshot: RunSnapshot) -> int:
        """Bytes on disk; counted again now and then while it grows, and when it ended."""
        state, now = snapshot.status.state, time.monotonic()
        counted_at, counted_in, size = self._sizes.get(snapshot.folder.id, (-math.inf, "", 0))
        if counted_in != state or (snapshot.status.is_live and now - counted_at > _COUNT_S):
            size = bytes_under(snapshot.folder.path)
            self._sizes[snapshot.folder.id] = (now, state, size)
        return size

    def _draw(self, folders: tuple[RunFolder, ...], wanted: WantedCurves) -> None:
        """Draw what changed, or lay the crosshair over what is drawn."""
        if wanted.palette is None or wanted.width < 1 or wanted.height < 1:
            return
        spec = spec_of(self._snapshots, wanted)
        bare = _without_cursor(wanted)
        key = (folders, bare, spec.versions(), tuple(s.is_behind for s in self._snapshots))
        whole = (*key, wanted.view.cursor)
        if whole == self._drawn:
            return
        is_same_look = self._drawn[:2] == key[:2] and self._drawn[3:] == whole[3:]
        if is_same_look and time.monotonic() - self._drawn_at < wanted.redraw_s:
            return  # only the runs went on; a turn soon after draws it
        self._drawn_at = time.monotonic()
        if self._picture is None or self._drawn[:4] != key:
            if not spec.lines and any(snapshot.is_behind for snapshot in self._snapshots):
                share = sum(snapshot.share_read for snapshot in self._snapshots) / len(self._snapshots)
                words = f"reading: {share:.0%}"
                self._picture = words_alone(words, wanted.width, wanted.height, wanted.palette)
            else:
                self._picture = draw(spec, wanted.view, wanted.width, wanted.height, wanted.palette)
        self._drawn = whole
        picture = with_cursor(self._picture, wanted.view.cursor)
        values = values_at(self._snapshots, wanted.metric, wanted.view)
        self._target.post_message(CurvesDrawn(wanted.metric, picture, values, folders))


def _without_cursor(wanted: WantedCurves) -> WantedCurves:
    return replace(wanted, view=replace(wanted.view, cursor=None))
