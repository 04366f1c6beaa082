"""Draws the charts of a run for the panes that want them: at once when a person asked, else a few times a second.

It works in the feed's thread, to which the series belong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from textual.message import Message

from runs.generalisation import Gap
from runs.reader import RunSnapshot
from runs.series import Series
from tui.charts.crosshair import with_cursor
from tui.charts.picture import ChartPicture, draw
from tui.charts.spec import ChartSpec, Palette
from tui.charts.view import ChartView, view_words
from tui.run_charts import GAP, chart_named, spec_of, title_of

_REDRAW_S = 0.25  # of the chart that is looked at most
_OTHERS_REDRAW_S = 0.5
_BORDER = 4  # cells of a pane's width that a title in its border cannot have
_BEHIND_REDRAW_S = 0.5  # while a long run is read, which is slower for every picture


@dataclass(frozen=True)
class PaneWish:
    """A chart that is on the screen: which, how many cells there are, and how it is looked at."""

    chart: str
    width: int
    height: int
    view: ChartView = field(default_factory=ChartView)


@dataclass(frozen=True)
class ChartWishes:
    """The visible charts, the most important first, and how they shall look. with_lr: the rate over the loss."""

    panes: tuple[PaneWish, ...] = ()
    palette: Palette | None = None
    with_lr: bool = False
    least_redraw_s: float = 0.0


@dataclass(frozen=True)
class DrawnChart:
    """A picture, and the words in its pane's border."""

    picture: ChartPicture
    title: str
    note: str


@dataclass
class PicturesDrawn(Message):
    """Charts were drawn, by their names; all that changed at once."""

    charts: dict[str, DrawnChart]

    def can_replace(self, message: Message) -> bool:
        """Newer pictures of the same charts make the older ones needless."""
        return isinstance(message, PicturesDrawn) and message.charts.keys() <= self.charts.keys()


@dataclass
class _Drawn:
    """What a chart was drawn from, and when. asked: what of the person's wish makes it another picture."""

    wish: PaneWish
    asked: tuple[object, ...]
    versions: tuple[int, ...]
    spec: ChartSpec
    picture: ChartPicture
    palette: Palette
    at: float


class ChartDrawer:
    """Remembers what it drew last, so that only what would look different is drawn again."""

    def __init__(self, post: Callable[[PicturesDrawn], object]) -> None:
        self._post = post
        self._drawn: dict[str, _Drawn] = {}
        self._gap = Gap()
        self._last: tuple[RunSnapshot, ChartWishes] | None = None

    def draw(self, snapshot: RunSnapshot, wishes: ChartWishes) -> float | None:
        """Draw what is due and post it; returns the seconds until more is due, None when nothing is."""
        if wishes.palette is None:
            return None
        if self._last is not None and self._last[0] is snapshot and self._last[1] is wishes:
            return None
        now = time.monotonic()
        wait: float | None = None
        series = self._series(snapshot, wishes)
        done: dict[str, DrawnChart] = {}
        for index, wish in enumerate(wishes.panes):
            chart = chart_named(wish.chart)
            spec = spec_of(chart, snapshot, series, wishes.with_lr)
            if snapshot.is_behind:
                spec = replace(spec, empty=f"reading: {snapshot.share_read:.0%}")
            before = self._drawn.get(wish.chart)
            asked = (
                wishes.palette, wishes.with_lr, wish.width, wish.height, _without_cursor(wish.view),
                snapshot.is_behind,
            )  # fmt: skip
            is_new_wish = before is None or before.asked != asked
            versions = spec.versions()
            is_new_data = before is None or before.versions != versions or before.spec != spec
            if not is_new_wish and not is_new_data:
                if before is not None and before.wish.view.cursor != wish.view.cursor:
                    before.wish = wish
                    done[wish.chart] = self._finished(before, snapshot)
                continue
            if not is_new_wish and before is not None and before.wish == wish:
                pause = max(_REDRAW_S if index == 0 else _OTHERS_REDRAW_S, wishes.least_redraw_s)
                left = before.at + (_BEHIND_REDRAW_S if snapshot.is_behind else pause) - now
                if left > 0:
                    wait = left if wait is None else min(wait, left)
                    continue
            picture = draw(spec, wish.view, wish.width, wish.height, wishes.palette)
            drawn = _Drawn(wish, asked, versions, spec, picture, wishes.palette, now)
            self._drawn[wish.chart] = drawn
            done[wish.chart] = self._finished(drawn, snapshot)
        if done:
            self._post(PicturesDrawn(done))
        self._last = (snapshot, wishes) if wait is None else None
        return wait

    def _series(self, snapshot: RunSnapshot, wishes: ChartWishes) -> Mapping[str, Series]:
        """Those of the run, with what is made from them where it is wanted."""
        if not any(wish.chart == GAP for wish in wishes.panes):
            return snapshot.series
        gap = self._gap.follow(snapshot.series.get("loss"), snapshot.series.get("val_loss"))
        return {**snapshot.series, GAP: gap}

    def _finished(self, drawn: _Drawn, snapshot: RunSnapshot) -> DrawnChart:
        """With the crosshair, and the words that go with it."""
        wish = drawn.wish
        title = title_of(chart_named(wish.chart), snapshot, drawn.spec, wish.view, wish.width - _BORDER)
        note = view_words(wish.view)
        if snapshot.is_behind:
            note = f"reading: {snapshot.share_read:.0%}"
        return DrawnChart(with_cursor(drawn.picture, wish.view.cursor), title, note)


def _without_cursor(view: ChartView) -> tuple[object, ...]:
    return (view.x, view.log_y, view.smoothing, view.low, view.high, view.span)
