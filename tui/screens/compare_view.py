"""Which runs Compare lays side by side, and what its feed reads of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from textual import on

from runs.compare import MOST_RUNS, runs_to_begin_with
from runs.folder import RunFolder
from tui.charts.palette import palette_of
from tui.charts.pane import ChartPane
from tui.charts.view import remembered_view, to_remember
from tui.compare_curves import WantedCurves
from tui.compare_feed import CompareFeed, CurvesDrawn, RunsCompared
from tui.navigation import known_run
from tui.screens.compare_tables import ONE, CompareTables

_BEGUN_WITH = "The newest runs, to begin with. c chooses others."
_SLOW_REDRAW_S = 3.0


class CompareView(CompareTables):
    """Knows what is compared, and shows what its feed lays side by side; reads nothing itself."""

    FEED_FAILED = "comparing failed; this is a defect of ours"
    _feed: CompareFeed

    def __init__(self) -> None:
        super().__init__()
        self._feed = CompareFeed(self)
        self._first: RunFolder | None = None
        self._was_chosen = False
        self._is_looking = False

    def on_mount(self) -> None:
        """Begin with the runs that were compared last, when nobody asked for others."""
        if not self._is_whole:
            return
        self.query_one("#filter").display = False
        self._recall()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._theme_changed())
        self._feed.start()
        self._arrange()
        self._is_looking = not self.folders
        self.set_runs(self.folders)

    def on_screen_resume(self) -> None:
        """There may be runs by now."""
        self.begin()

    def begin(self, first: RunFolder | None = None) -> None:
        """Where nobody chose runs, show some that compare. first: the run that is in view."""
        self._first = first or self._first
        if not self.folders and not self._was_chosen:
            self.run_worker(self._begin(self._first), group="begin", exclusive=True)

    async def _begin(self, first: RunFolder | None) -> None:
        found = await asyncio.to_thread(runs_to_begin_with, self.app.runs, first)  # type: ignore[attr-defined]
        self._is_looking = False
        if not self.folders and not self._was_chosen:
            self.set_runs(found, ONE if len(found) == 1 else _BEGUN_WITH)

    def compare(self, folders: tuple[RunFolder, ...]) -> None:
        """Lay these runs side by side; one run alone comes to those that are compared already."""
        before = () if self._hint else self.folders  # a proposal makes way
        self.set_runs((*before, *folders) if len(folders) == 1 else folders)
        if len(folders) == 1 and set(before) - set(folders) and len(self.folders) > len(before):
            self.notify("Added to the comparison; backspace takes a run out.", markup=False, timeout=5)

    def set_runs(self, folders: tuple[RunFolder, ...], hint: str = "") -> None:
        """Compare these and no others; those that are gone are left out, as are those beyond the twelfth.

        hint: stands above them where they are a proposal, which is not remembered.
        """
        there = tuple(dict.fromkeys(folder for folder in folders if folder.path.is_dir()))
        if len(there) > MOST_RUNS:
            self.notify(f"The first {MOST_RUNS} of {len(there)} runs are compared.", markup=False, timeout=6)
        self._was_chosen |= bool(self.folders)
        self.folders, self._hint = there[:MOST_RUNS], hint
        self.hidden &= {folder.id for folder in self.folders}
        if not self._is_whole:
            return
        self.query_one("#none").display = not self.folders and not self._is_looking
        self.query_one("#body").display = bool(self.folders)
        if not self.folders:
            self.compared = None
        self._show_notes()
        self._feed.compare(self.folders)
        self._remember()
        self.refresh_bindings()
        self._arrange()

    def _recall(self) -> None:
        """Take what was remembered, of which anything may have been written."""
        kept: dict[str, Any] = self.app.remembered.get("compare")  # type: ignore[attr-defined]
        names = kept.get("runs")
        if not self.folders and isinstance(names, list):
            runs = self.app.runs  # type: ignore[attr-defined]
            found = [folder for name in names[:MOST_RUNS] if (folder := known_run(runs, name)) is not None]
            self.folders = tuple(dict.fromkeys(found))
        metric = kept.get("metric")
        self.metric = metric if isinstance(metric, str) and len(metric) < 200 else ""
        self._everything = kept.get("everything") is True
        self.query_one(ChartPane).view = remembered_view(kept.get("view"))

    def _remember(self) -> None:
        values = {
            "runs": [] if self._hint else [folder.id for folder in self.folders],
            "metric": self.metric,
            "everything": self._everything,
            "view": to_remember(self.query_one(ChartPane).view),
        }
        self.app.remembered.put("compare", values)  # type: ignore[attr-defined]

    @on(RunsCompared)
    def _take_comparison(self, message: RunsCompared) -> None:
        if not self._is_whole or tuple(one.folder for one in message.snapshots) != self.folders:
            return
        if message.gone:
            self._take_out(message.gone)
            return
        self.compared = message
        if self.metric not in message.metrics and message.metrics and message.share_read == 1.0:
            self.metric = message.metrics[0]
        with self.app.batch_update():
            self._show_tables()
            self._show_notes()
            self._show_title()
            self._show_tabs()
            self._tell()
        self._want()

    def _take_out(self, gone: tuple[RunFolder, ...]) -> None:
        """Somebody deleted runs that are compared."""
        which = "a run that was" if len(gone) == 1 else f"{len(gone)} runs that were"
        self.notify(f"Took out {which} deleted.", markup=False, timeout=6)
        self.set_runs(tuple(folder for folder in self.folders if folder not in gone), self._hint)

    @on(CurvesDrawn)
    def _take_curves(self, message: CurvesDrawn) -> None:
        if not self._is_whole or message.folders != self.folders or message.metric != (self.metric or "loss"):
            return
        self.query_one(ChartPane).show(message.picture)
        if message.values != self._values:
            self._values = message.values
            self._show_runs()

    @on(ChartPane.Resized)
    def _chart_resized(self) -> None:
        self._want()

    @on(ChartPane.ViewChanged)
    def _view_changed(self) -> None:
        self._show_title()
        self._want()
        self._remember()

    def _arranged(self) -> None:
        self._show_notes()
        self._show_runs()
        self.call_after_refresh(self._want_after)

    def _want_after(self) -> None:
        if self._is_whole:
            self._want()

    def _theme_changed(self) -> None:
        if self._is_whole:
            self._show_tables()
            self._want()

    def _want(self) -> None:
        """Have the curves drawn as they are looked at now."""
        pane = self.query_one(ChartPane)
        if not pane.is_on_screen:
            return
        width, height = pane.content_size
        metric, palette = self.metric or "loss", palette_of(self.app)
        wanted = WantedCurves(metric, width, height, palette, pane.view, self.hidden, self._is_single)
        if self.app.settings.low_bandwidth:  # type: ignore[attr-defined]
            wanted = replace(wanted, redraw_s=_SLOW_REDRAW_S)
        self._feed.want(wanted)
