"""What the panes of Compare hold: the runs, their figures, settings and answers, as they were read last."""

from __future__ import annotations

from typing import Any

from textual import on
from textual.content import Content
from textual.widgets import Static

from runs.compare import probes_at
from tui import compare_rows
from tui.charts.frame import place_words
from tui.charts.palette import palette_of
from tui.charts.pane import ChartPane
from tui.charts.view import view_words
from tui.compare_feed import RunsCompared
from tui.metric_words import metric_words
from tui.safe_text import FAINT, plain
from tui.screens.compare_layout import CompareLayout
from tui.widgets.line_input import LineInput
from tui.widgets.side_by_side import SideBySide

ONE = "One run alone. c adds others."
_NUM_WORDS = 5


class CompareTables(CompareLayout):
    """compared: what was read last. metric: of the curves. hidden: ids of runs whose curves are not drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.metric = ""
        self.compared: RunsCompared | None = None
        self.hidden: frozenset[str] = frozenset()
        self._values: tuple[float | None, ...] = ()  # of the curves at the crosshair
        self._everything = False
        self._hint = ""  # stands above as long as nobody has chosen the runs
        self._notes: tuple[str, str] | None = None
        self._said = ""

    @property
    def _colours(self) -> tuple[Any, ...]:
        return palette_of(self.app).lines

    def _show_tables(self) -> None:
        self._show_runs()
        self._show_figures()
        self._show_settings()
        self._show_probes()

    def _show_runs(self) -> None:
        if self.compared is None:
            return
        comparison = self.compared.comparison
        rows = compare_rows.run_rows(comparison, self._values, self.hidden, self._colours)
        pane = self.query_one("#runs", SideBySide)
        view = self.query_one(ChartPane).view
        at = "newest" if view.cursor is None else place_words(view.cursor, view.x)
        pane.show(compare_rows.plain_heads(("state", "step", at)), rows)

    def _show_figures(self) -> None:
        if self.compared is not None:
            comparison = self.compared.comparison
            rows = compare_rows.figure_table(comparison)
            heads = compare_rows.heads_of(comparison.runs, self._colours)
            self.query_one("#figures", SideBySide).show(heads, rows, "no figures yet")

    def _show_settings(self) -> None:
        if self.compared is None:
            return
        comparison = self.compared.comparison
        wanted = self.query_one("#filter", LineInput).value
        rows = compare_rows.setting_rows(comparison, self._everything, wanted)
        pane = self.query_one("#settings", SideBySide)
        empty = "no setting differs; A shows all of them"
        if wanted:
            empty = f"no setting is called {wanted!r}" + ("" if self._everything else "; A searches all of them")
        elif len(comparison.runs) == 1:
            empty = ONE
        pane.show(compare_rows.heads_of(comparison.runs, self._colours), rows, empty)

    def _show_probes(self) -> None:
        if self.compared is None:
            return
        message = self.compared
        rows = compare_rows.probe_table(probes_at(message.probes, self._step), _NUM_WORDS)
        pane = self.query_one("#probes", SideBySide)
        pane.show(compare_rows.heads_of(message.comparison.runs, self._colours), rows, "none of them was probed")

    def _show_notes(self) -> None:
        """How to choose, and what cannot be compared."""
        notes = self.compared.comparison.notes if self.compared is not None and self.folders else ()
        hint = self._hint if self.folders else ""
        shown = compare_rows.note_lines(hint, notes, self.size.width - 2)
        if shown != self._notes:
            self._notes = shown
            pane = self.query_one("#notes", Static)
            pane.display = any(shown)
            said, warned = shown
            pane.update(Content.assemble((said, FAINT), "\n" if all(shown) else "", plain(warned)))

    def _show_title(self) -> None:
        """What the curves are of, and how one looks at them."""
        pane = self.query_one(ChartPane)
        pane.set_title(metric_words(self.metric or "loss"))
        pane.set_note(view_words(pane.view))

    @property
    def num_differing(self) -> int:
        """Settings in which the runs are not all alike."""
        return len(self.compared.comparison.differing) if self.compared is not None else 0

    @on(SideBySide.Moved)
    def _tell(self) -> None:
        """The line below: the row under the cursor in full."""
        if not self._is_whole:
            return
        words, pane = "", self.query_one(f"#{self._pane}")
        if isinstance(pane, SideBySide) and pane.row is not None:
            words = compare_rows.row_words(pane.heads, pane.row)
            if pane.id == "runs" and self.compared is not None:
                words = compare_rows.run_words(self.compared.comparison, pane.row.key)
        if words != self._said:
            self._said = words
            self.query_one("#said", Static).update(plain(words, 600), layout=False)
