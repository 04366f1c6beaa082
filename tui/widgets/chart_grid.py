"""The charts of Monitor in rows and columns, a page of them at a time; those that are not seen cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from textual import events, on
from textual.containers import Container
from textual.message import Message

from tui.chart_arrangement import Arrangement, Page, pages_of
from tui.charts.pane import ChartPane
from tui.charts.view import ChartView
from tui.run_charts import CHARTS, chart_named

_OURS = frozenset(chart.name for chart in CHARTS)


class ChartGrid(Container):
    """Holds a pane for each chart; `set_charts` says which, `page` which of them are seen."""

    class Changed(Message):
        """Other charts are visible, or they are looked at in another way: new pictures are wanted."""

    class LookChanged(Message):
        """A person chose an axis, a scale or a smoothing, which is worth remembering."""

    def __init__(self, arrangement: Arrangement, charts: Sequence[str], id: str | None = None) -> None:
        self.arrangement = arrangement
        self.charts = tuple(charts)
        super().__init__(*(self._pane(name) for name in self.charts), id=id)
        self.page = 0
        self.zoomed = ""
        self._shown: tuple[object, ...] = ()
        self._page_words = ""

    def _pane(self, name: str) -> ChartPane:
        pane = ChartPane(name, chart_named(name).title, id=pane_id(name))
        pane.view = self.arrangement.view_of(name)
        return pane

    @property
    def panes(self) -> tuple[ChartPane, ...]:
        """In their order."""
        return tuple(child for child in self.children if isinstance(child, ChartPane))

    @property
    def seen(self) -> tuple[ChartPane, ...]:
        """Those that are on the screen now, the one with the focus first."""
        shown = [pane for pane in self.panes if pane.display and pane.region.area and pane.is_on_screen]
        return tuple(sorted(shown, key=lambda pane: not pane.has_focus))

    def pane(self, chart: str) -> ChartPane | None:
        """The pane of a chart; None when it has none."""
        return next((pane for pane in self.panes if pane.chart == chart), None)

    @property
    def lead(self) -> ChartPane | None:
        """The first of those that are seen."""
        return next((pane for pane in self.panes if pane.display), None)

    async def set_charts(self, arrangement: Arrangement, charts: Sequence[str]) -> None:
        """Show these charts in this order; panes of charts that stay keep their pictures."""
        self.arrangement = arrangement
        if tuple(charts) == self.charts:
            self._lay_out()
            return
        before, self.charts = self.charts, tuple(charts)
        shared = next((pane.view for pane in self.panes), ChartView())
        new = [self._pane(name) for name in self.charts if name not in before]
        for pane in new:
            pane.view = replace(shared, log_y=pane.view.log_y, smoothing=pane.view.smoothing)
        with self.app.batch_update():
            await self.mount(*new)
            await self.remove_children([pane for pane in self.panes if pane.chart not in self.charts])
            order = {name: index for index, name in enumerate(self.charts)}
            self.sort_children(key=lambda child: order.get(child.name or "", len(order)))
            self._lay_out()

    def zoom(self, chart: str) -> None:
        """Give the whole room to one chart, or with "" back to all of them."""
        self.zoomed = chart
        self._lay_out()

    def turn(self, by: int) -> None:
        """The next or an earlier page, round and round."""
        pages = self._pages()
        if len(pages) > 1:
            had_focus = any(pane.has_focus for pane in self.panes)
            self.page = (self.page + by) % len(pages)
            self._lay_out()
            if had_focus and (lead := self.lead) is not None:
                self.call_after_refresh(lead.focus)

    def show_chart(self, chart: str) -> None:
        """Turn to the page that a chart is on."""
        for page in self._pages():
            if chart in page.charts and page.index != self.page:
                self.page = page.index
                self._lay_out()

    def _pages(self) -> tuple[Page, ...]:
        if self.zoomed in self.charts:
            at = self.charts.index(self.zoomed)
            return (Page((self.zoomed,), 1, (0,), (1,), at, 0, 1),)
        return pages_of(self.arrangement, self.charts, self.size.width, self.size.height)

    def on_resize(self, event: events.Resize) -> None:
        """More or fewer charts fit."""
        self._lay_out()

    def _lay_out(self) -> None:
        if not self.size.area:
            return
        pages = self._pages()
        self.page = min(self.page, len(pages) - 1)
        page = pages[0] if self.zoomed else pages[self.page]
        key = (page, self.charts)
        if key == self._shown:
            return
        self._shown = key
        self.styles.grid_size_columns = page.columns
        self.styles.grid_rows = " ".join(f"{height}" if height else "1fr" for height in page.heights)
        spans = dict(zip(page.charts, page.spans, strict=True))
        for pane in self.panes:
            pane.display = pane.chart in spans
            pane.styles.column_span = spans.get(pane.chart, 1)
        self._page_words = ""
        if page.num_pages > 1:
            last = page.first + len(page.charts)
            span = f"{page.first + 1}–{last}" if last > page.first + 1 else f"{last}"
            self._page_words = f"chart{'s' if last > page.first + 1 else ''} {span} of {len(self.charts)} · pgdn"
        self.call_after_refresh(self._tell)

    def note_of(self, pane: ChartPane, note: str) -> str:
        """What stands at a pane's bottom: what of its view is not as usual, and on the first, which page it is."""
        return " · ".join(filter(None, (note, self._page_words if pane is self.lead else "")))

    def _tell(self) -> None:
        self.post_message(self.Changed())

    @on(ChartPane.Resized)
    def _pane_resized(self, message: ChartPane.Resized) -> None:
        message.stop()
        self._tell()

    @on(ChartPane.ViewChanged)
    def _view_changed(self, message: ChartPane.ViewChanged) -> None:
        """Axis, window and crosshair are those of all charts; scale and smoothing are each chart's own."""
        message.stop()
        view = message.view
        before = self.arrangement
        if message.is_shared:
            for pane in self.panes:
                pane.view = replace(view, log_y=pane.view.log_y, smoothing=pane.view.smoothing)
        else:
            looks = {**before.looks, message.pane.chart: view}
            self.arrangement = replace(self.arrangement, looks=looks)
        self.arrangement = replace(self.arrangement, x=view.x)
        if self.arrangement != before:
            self.post_message(self.LookChanged())
        self._tell()

    def drop_cursor(self) -> bool:
        """Take the crosshair away; False when there is none."""
        return any(pane.drop_cursor() for pane in self.panes[:1])


def pane_id(chart: str) -> str:
    """An id for a chart's pane: the name of one of ours, and for a recorded metric one made from it.

    Whatever a run calls its metrics, no two have one id, and none has that of another pane.
    """
    if chart in _OURS:
        return chart
    return f"metric-{blake2b(chart.encode(errors='surrogatepass'), digest_size=16).hexdigest()}"
