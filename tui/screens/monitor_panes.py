"""The panes of Monitor: which charts there are, what is visible of them, and which pane has the whole room."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.widget import Widget

from runs.folder import RunFolder
from runs.reader import RunSnapshot
from tui.chart_arrangement import ALWAYS_SHOWN, Arrangement, arrangement_to_remember, remembered_arrangement
from tui.chart_drawer import ChartWishes, PaneWish, PicturesDrawn
from tui.charts.palette import palette_of
from tui.charts.pane import ChartPane
from tui.feeds import RunFeed, Wanted
from tui.run_charts import chart_named, has_figures
from tui.screens.run_screen import RunScreen
from tui.widgets.chart_grid import ChartGrid, pane_id
from tui.widgets.failure_panel import FailurePanel
from tui.widgets.log_view import LogPane
from tui.widgets.probe_table import ProbeTable

if TYPE_CHECKING:
    from tui.app import TinyTrainApp

_BESIDE_CHARTS = ("failure", "probes", "devices", "log", "events")
_PARTS = (*_BESIDE_CHARTS, "header", "banner", "card", "body", "curves", "side", "asked")
_SLOW_REDRAW_S = 2.0
_FLAT = 18  # lines of a terminal in which, of all panes, only the curve has room


class MonitorPanes(RunScreen):
    """Tells the feed what there is room for, and shows the pictures that it draws."""

    def __init__(self, folder: RunFolder) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot: RunSnapshot | None = None
        self._feed: RunFeed | None = None
        self._zoomed = ""  # the id of the pane that has the whole room
        self._log_shown = False
        self._arrangement = Arrangement()
        self._parts: tuple[Widget, ...] = ()

    @property
    def _dashboard(self) -> TinyTrainApp:
        return cast("TinyTrainApp", self.app)

    def recall(self) -> None:
        """Take the arrangement that was left the last time."""
        self._arrangement = remembered_arrangement(self._dashboard.remembered.get("monitor"))

    @property
    def _grid(self) -> ChartGrid:
        return self.query_one("#curves", ChartGrid)

    def _focus_charts(self) -> None:
        """Where the eyes go first."""
        home: Widget = self._grid.lead or self.query_one(ProbeTable)
        home.focus()

    def _charts(self) -> tuple[str, ...]:
        """Those that were chosen; where nobody chose, those that the run has figures for."""
        chosen = self._arrangement.charts
        if not self._arrangement.is_default:
            return chosen
        metrics = self.snapshot.series.keys() if self.snapshot is not None else ()
        return tuple(name for name in chosen if name in ALWAYS_SHOWN or has_figures(chart_named(name), metrics))

    @property
    def _is_whole(self) -> bool:
        """All parts are there: an app that ends takes its screens apart from the inside, message by message."""
        if not self._parts:
            found = [self.query(f"#{part}") for part in _PARTS] if self.is_attached else []
            self._parts = tuple(part.first() for part in found) if found and all(found) else ()
        return self.is_attached and bool(self._parts) and all(part.is_attached for part in self._parts)

    @on(PicturesDrawn)
    def _take_pictures(self, message: PicturesDrawn) -> None:
        if not self._is_whole:
            return
        grid = self._grid
        with self.app.batch_update():
            for name, drawn in message.charts.items():
                if (pane := grid.pane(name)) is not None:
                    pane.show(drawn.picture)
                    pane.set_title(drawn.title)
                    pane.set_note(grid.note_of(pane, drawn.note))

    @on(ChartGrid.Changed)
    def _tell_sizes(self) -> None:
        """Let the feed draw what is visible, in the theme's colours."""
        if self._feed is None or not self._is_whole:
            return
        panes = tuple(PaneWish(pane.chart, *pane.content_size, pane.view) for pane in self._grid.seen)
        slow = _SLOW_REDRAW_S if self._dashboard.settings.low_bandwidth else 0.0
        base = self._grid.lead.rich_style if self._grid.lead is not None else None
        charts = ChartWishes(panes, palette_of(self.app, base), self._arrangement.lr_over_loss, slow)
        self._feed.want(Wanted(charts, console=self._log_shown))

    @on(ChartGrid.LookChanged)
    def _remember_looks(self) -> None:
        """Axis, scales and smoothing are as they were left at the next start."""
        self._arrangement = self._grid.arrangement
        self._remember()

    def _remember(self) -> None:
        remembered = self._dashboard.remembered
        remembered.put("monitor", {**remembered.get("monitor"), **arrangement_to_remember(self._arrangement)})

    @property
    def _zoomed_chart(self) -> str:
        """The chart that has the whole room; "" when none has."""
        return next((name for name in self._grid.charts if pane_id(name) == self._zoomed), "")

    def _arrange(self) -> None:
        """Show every pane, or the zoomed one alone."""
        zoomed = self._zoomed
        for name in _BESIDE_CHARTS:
            pane = self.query_one(f"#{name}")
            pane.set_class(zoomed == name, "-zoomed")
            pane.set_class(bool(zoomed) and zoomed != name, "-away")
        self._grid.zoom(self._zoomed_chart)
        for selector in ("#curves", "#side", "#body"):
            container = self.query_one(selector)
            has_it = bool(zoomed) and bool(container.query(f"#{zoomed}"))
            container.set_class(has_it, "-holds-zoom")
            container.set_class(bool(zoomed) and not has_it, "-away")
        log = self.query_one(LogPane)
        log.display = self._log_shown or zoomed == "log"
        self.set_class(log.display, "-log")
        self.call_after_refresh(self._tell_sizes)

    def on_resize(self, event: events.Resize) -> None:
        """Panes that came or went with the new size are drawn or left."""
        self.set_class(event.size.height < _FLAT, "-flat")
        self.call_after_refresh(self._tell_sizes)

    def action_next_pane(self, by: int) -> None:
        """Go to the next pane; while one is zoomed, zoom the next."""
        if not self._zoomed:
            if by > 0:
                self.focus_next()
            else:
                self.focus_previous()
            return
        shown = {"log": self._log_shown, "failure": self.query_one(FailurePanel).display}
        before, *after = _BESIDE_CHARTS
        charts = map(pane_id, self._grid.charts)
        names = [name for name in (before, *charts, *after) if shown.get(name, True)]
        at = names.index(self._zoomed) if self._zoomed in names else 0  # its pane may have gone meanwhile
        self._zoom(names[(at + by) % len(names)])

    def action_zoom(self) -> None:
        """Enlarge the pane with the focus; once more gives the room back."""
        focused = self.focused
        if self._zoomed:
            self._zoom("")
        elif isinstance(focused, ChartPane):
            self._zoom(pane_id(focused.chart))
        elif focused is not None and focused.id in _BESIDE_CHARTS:
            self._zoom(focused.id)
        elif (lead := self._grid.lead) is not None:
            self._zoom(pane_id(lead.chart))

    def _zoom(self, name: str) -> None:
        before, left = self._zoomed_chart, self._zoomed
        self._zoomed = name
        self._arrange()
        chart = self._grid.pane(self._zoomed_chart if name else before)
        if chart is not None:
            self._grid.show_chart(chart.chart)
            self.call_after_refresh(chart.focus)
        elif name or (left in _BESIDE_CHARTS and self.query_one(f"#{left}").display):
            self.call_after_refresh(self.query_one(f"#{name or left}").focus)
        else:
            self.call_after_refresh(self._focus_charts)

    def action_page(self, by: int) -> None:
        """More charts than fit stand on pages."""
        if not self._zoomed:
            self._grid.turn(by)

    def action_arrange(self) -> None:
        """Choose the charts, their order and their columns."""
        from tui.screens.arrange_charts import ArrangeCharts

        metrics = self.snapshot.series.keys() if self.snapshot is not None else ()
        self.app.push_screen(ArrangeCharts(self._arrangement, tuple(metrics)), self._take_arrangement)

    async def _take_arrangement(self, arrangement: Arrangement | None) -> None:
        if arrangement is None or not self._is_whole:
            return
        self._arrangement = arrangement
        self._remember()
        if self._zoomed:
            self._zoom("")
        await self._grid.set_charts(arrangement, self._charts())
        self._tell_sizes()
        if self.focused is None:
            self._focus_charts()
