"""Chooses the charts of Monitor: which, in which order, in how many columns; every change is seen in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from tui.chart_arrangement import MOST_COLUMNS, Arrangement
from tui.figures import plural
from tui.run_charts import CHARTS, chart_named, charts_of, is_ours
from tui.safe_text import FAINT, plain
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there

_HINT = (
    "space adds or removes · J K move it down or up · ← → columns · l large first chart · r lr over loss · "
    "/ search · 0 as it was at first · enter takes it, esc cancels"
)


class ArrangeCharts(ModalScreen[Arrangement | None]):
    """Dismissed with the arrangement, or with None on esc. metrics: what the run has recorded."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "arrange_charts.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("space", "choose", "Add or remove", show=False),
        Binding("J", "move(1)", "Down", show=False),
        Binding("K", "move(-1)", "Up", show=False),
        Binding("right,plus", "columns(1)", "More columns", show=False),
        Binding("left,minus", "columns(-1)", "Fewer columns", show=False),
        Binding("l", "lead", "Large first chart", show=False),
        Binding("r", "overlay", "Learning rate over the loss", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("0", "reset", "Reset", show=False),
    ]

    def __init__(self, arrangement: Arrangement, metrics: Sequence[str]) -> None:
        super().__init__()
        self._arrangement = arrangement
        known = [chart.name for chart in (*CHARTS, *charts_of(metrics))]
        self._known = tuple(dict.fromkeys(known))
        self._names: list[str] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain("Charts of Monitor")
            yield LineInput(id="search", placeholder="search, for example accuracy", max_length=60)
            yield OptionList(id="charts")
            yield Static(id="layout")
            yield Static(plain(_HINT), classes="hint foot")

    def on_mount(self) -> None:
        """The list has the focus; the search comes when it is asked for."""
        for field in self.query("#search"):
            field.display = False
        for charts in self.query(OptionList):
            charts.focus()
            self._show(0)

    def action_cancel(self) -> None:
        """Leave the search, or leave all as it was."""
        search = self.query_one("#search", LineInput)
        if search.display:
            search.value = ""
            search.display = False
            self.query_one(OptionList).focus()
            self._show(0)
        else:
            self.dismiss(None)

    def action_choose(self) -> None:
        """Add the chart under the cursor, or remove it; the last one stays."""
        name, charts = self._chosen_name(), self._arrangement.charts
        if name is None:
            return
        left = tuple(other for other in charts if other != name)
        charts = left if name in charts else (*charts, name)
        if not charts:
            self.notify("One chart has to stay.", markup=False)
            return
        self._change(replace(self._arrangement, charts=charts), name)

    def action_move(self, by: int) -> None:
        """Another place among those that are shown."""
        name, charts = self._chosen_name(), list(self._arrangement.charts)
        if name is None or name not in charts:
            return
        at = charts.index(name)
        there = min(len(charts) - 1, max(0, at + by))
        charts.insert(there, charts.pop(at))
        self._change(replace(self._arrangement, charts=tuple(charts)), name)

    def action_columns(self, by: int) -> None:
        """More or fewer columns; none is as many as fit."""
        columns = (self._arrangement.columns + by) % (MOST_COLUMNS + 1)
        self._change(replace(self._arrangement, columns=columns), self._chosen_name())

    def action_lead(self) -> None:
        """A large first chart, or all of one size."""
        self._change(replace(self._arrangement, has_lead=not self._arrangement.has_lead), self._chosen_name())

    def action_overlay(self) -> None:
        """The learning rate over the loss, or by itself."""
        arrangement = replace(self._arrangement, lr_over_loss=not self._arrangement.lr_over_loss)
        self._change(arrangement, self._chosen_name())

    def action_reset(self) -> None:
        """As it was before anybody chose."""
        self._change(Arrangement(), None)

    def action_search(self) -> None:
        """Look for a chart by its name."""
        search = self.query_one("#search", LineInput)
        search.display = True
        self.set_focus(search)  # at once, so that what is typed next goes there

    @on(LineInput.Changed)
    def _searched(self) -> None:
        self._show(0)

    @on(LineInput.Submitted)
    def _found(self) -> None:
        self.set_focus(self.query_one(OptionList))  # at once, too

    @on(OptionList.OptionSelected)
    def _taken(self) -> None:
        self.dismiss(self._arrangement)

    def _chosen_name(self) -> str | None:
        at = self.query_one(OptionList).highlighted
        return self._names[at] if at is not None and at < len(self._names) else None

    def _change(self, arrangement: Arrangement, name: str | None) -> None:
        self._arrangement = arrangement
        self._show(0, name)

    def _show(self, highlighted: int, name: str | None = None) -> None:
        """Those that are shown in their order, then the others."""
        charts, words = self.query_one(OptionList), self.query_one("#search", LineInput).value.strip().lower()
        shown = self._arrangement.charts
        names = [*shown, *(other for other in self._known if other not in shown)]
        self._names = [
            one for one in names if words in f"{one} {chart_named(one).title} {one.replace('_', ' ')}".lower()
        ]
        charts.clear_options()
        charts.add_options([self._line(one) for one in self._names])
        if name in self._names:
            highlighted = self._names.index(name)
        charts.highlighted = highlighted if self._names else None
        if not self._names:
            charts.add_option(nothing_there("No chart is called that.", "esc clears the search."))
        self.query_one("#layout", Static).update(self._layout_words())

    def _line(self, name: str) -> Content:
        shown = self._arrangement.charts
        sign = f"{shown.index(name) + 1:>3} ✓ " if name in shown else "      "
        title = chart_named(name).title
        words = Content.assemble(sign, plain(title, 60))
        has_own_words = is_ours(name) and title != name
        return Content.assemble(words, plain(f"  {name}", 40, FAINT)) if has_own_words else words

    def _layout_words(self) -> Content:
        one = self._arrangement
        columns = plural(one.columns, "column") if one.columns else "as many columns as fit"
        lead = "first chart large" if one.has_lead else "all of one size"
        overlay = "lr over loss" if one.lr_over_loss else "lr not over loss"
        return plain(f"{plural(len(one.charts), 'chart')} · {columns} · {lead} · {overlay}")
