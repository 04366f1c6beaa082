"""Compare: the curves, settings, figures and answers of several runs side by side, live ones too."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from runs.compare import probe_steps
from runs.folder import RunFolder
from tui.charts.pane import ChartPane
from tui.commands import bindings_of
from tui.compare_rows import table_text
from tui.metric_words import metric_words, own_name
from tui.report.action import write_for
from tui.run_actions import RunChoice
from tui.safe_text import safe_lines
from tui.screens.choose_runs import ChooseRunsDialog
from tui.screens.compare_commands import COMMANDS
from tui.screens.compare_layout import PANES
from tui.screens.compare_view import CompareView
from tui.screens.pick_dialog import Choice, PickDialog
from tui.widgets.line_input import LineInput
from tui.widgets.side_by_side import SideBySide


class CompareScreen(CompareView):
    """What a person can do there. Which run is meant: the one under the cursor in the pane of runs."""

    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Compare"
    HELP = (
        "Each run has a letter, which stands on its curve and over its column. ← → on the curves read all of them "
        "at one place; a changes the axis, g the metric. ★ is the best figure of a row; where runs measure "
        "different things, a note says so and none is best. Of the settings only those that differ are shown; A "
        "shows all, [ and ] go from one difference to the next. In the probes ← → go through the run."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings_of(COMMANDS),
        Binding("tab", "next_pane(1)", "Next pane", show=False),
        Binding("shift+tab", "next_pane(-1)", "Pane before", show=False),
        Binding("escape", "back", "Back", show=False),
    ]

    @property
    def run_here(self) -> RunFolder | None:
        """The run under the cursor in the pane of runs; the first one before anything was read."""
        if not self.folders:
            return None
        key = self.query_one("#runs", SideBySide).key if self._is_whole else ""
        return next((folder for folder in self.folders if folder.id == key), self.folders[0])

    @property
    def choice(self) -> RunChoice | None:
        """The same, as one can act on it."""
        here, compared = self.run_here, self.compared
        for snapshot in compared.snapshots if compared is not None else ():
            if snapshot.folder == here:
                return RunChoice(snapshot.folder, snapshot.about, snapshot.status)
        return None

    def look_now(self) -> None:
        """Read the runs again at once."""
        self._feed.look_now()

    def action_choose(self) -> None:
        """Choose which runs are compared."""

        def chosen(folders: tuple[RunFolder, ...] | None) -> None:
            if folders is not None:
                self.set_runs(folders)

        runs = self.app.runs  # type: ignore[attr-defined]
        self.app.push_screen(ChooseRunsDialog(runs, self.folders), chosen)

    def action_metric(self) -> None:
        """Choose the metric of the curves."""
        metrics = self.compared.metrics if self.compared is not None else ()
        if not metrics:
            self.notify("Nothing was recorded yet.", markup=False, timeout=4)
            return

        def chosen(metric: str | None) -> None:
            if metric is not None:
                self._take_metric(metric)

        choices = tuple(Choice(name, metric_words(name), own_name(name)) for name in metrics)
        self.app.push_screen(PickDialog("Metric of the curves", choices, self.metric), chosen)

    def action_next_metric(self, by: int) -> None:
        """Show the next metric, or the one before."""
        metrics = self.compared.metrics if self.compared is not None else ()
        if metrics:
            at = metrics.index(self.metric) if self.metric in metrics else -by
            self._take_metric(metrics[(at + by) % len(metrics)])

    def _take_metric(self, metric: str) -> None:
        self.metric = metric
        self._values = ()
        self._show_title()
        self._show_runs()
        self._want()
        self._remember()

    def action_everything(self) -> None:
        """All settings, or only those that differ."""
        self._everything = not self._everything
        self._show_settings()
        self._remember()
        self.to_pane("settings")

    def action_filter(self) -> None:
        """Type a part of a setting's name."""
        self.to_pane("settings")
        field = self.query_one("#filter", LineInput)
        field.display = True
        field.focus()

    @on(LineInput.Changed, "#filter")
    def _typed(self) -> None:
        if self._is_whole:
            self._show_settings()

    @on(LineInput.Submitted, "#filter")
    def _entered(self) -> None:
        field = self.query_one("#filter", LineInput)
        field.display = bool(field.value)
        self.query_one("#settings").focus()

    def action_hide(self) -> None:
        """Hide the curve of the run under the cursor, or show it again."""
        if (run := self.run_here) is not None:
            self.hidden = self.hidden ^ {run.id}
            self._show_runs()
            self._want()

    def action_remove(self) -> None:
        """Take the run under the cursor out of the comparison."""
        if (run := self.run_here) is not None:
            self.set_runs(tuple(folder for folder in self.folders if folder != run))

    async def action_open(self) -> None:
        """Watch the run under the cursor."""
        if (run := self.run_here) is not None:
            await self.app.open_run(run)  # type: ignore[attr-defined]

    async def action_playground(self) -> None:
        """Try the run under the cursor."""
        if (run := self.run_here) is not None:
            await self.app.open_playground(run)  # type: ignore[attr-defined]

    def action_sweep_table(self) -> None:
        """Show what came of the sweep that the run under the cursor belongs to."""
        if (run := self.run_here) is not None:
            from tui.screens.sweep_results import show_sweep_of

            show_sweep_of(self.app, run.about())

    def action_report(self) -> None:
        """Write a report of the run under the cursor."""
        if (run := self.run_here) is not None:
            write_for(self, run)

    def action_copy(self) -> None:
        """Copy the table with the focus."""
        pane = self.query_one(f"#{self._pane if self._pane != 'curves' else 'figures'}", SideBySide)
        self.app.copy_to_clipboard(safe_lines(table_text(pane.heads, pane.rows), 100_000))
        self.notify(f"copied {len(pane.rows)} rows of {PANES[pane.id or '']}", markup=False, timeout=3)

    def action_scrub(self, by: int) -> None:
        """Look at earlier or later answers; past the newest it follows again."""
        steps = probe_steps(self.compared.probes) if self.compared is not None else ()
        if not steps:
            return
        newest = len(steps) - 1
        at = newest if self._step is None else max(0, sum(step <= self._step for step in steps) - 1)
        at = max(0, at + by)
        self._step = None if at >= newest else steps[at]
        self._show_probes()
        self._show_tabs()

    def action_zoom(self) -> None:
        """Give the pane with the focus the whole screen, or the room back."""
        self._zoomed = not self._zoomed
        self._arrange()

    def action_next_pane(self, by: int) -> None:
        """Go to the next pane."""
        names = list(PANES)
        self.to_pane(names[(names.index(self._pane) + by) % len(names)])

    async def action_back(self) -> None:
        """Take the crosshair away, clear what was typed, give the zoomed room back, else go to the runs."""
        field = self.query_one("#filter", LineInput)
        if field.display:
            field.value = ""
            field.display = False
            self._show_settings()
            self.query_one("#settings").focus()
        elif self.query_one(ChartPane).drop_cursor():
            return
        elif self._step is not None:
            self._step = None
            self._show_probes()
            self._show_tabs()
        elif self._zoomed:
            self.action_zoom()
        else:
            await self.run_action("app.show_runs")

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        """Without runs there is nothing to do but to choose some."""
        if action in ("metric", "next_metric", "everything", "filter", "hide", "remove", "zoom", "copy", "report",
                      "open", "playground", "next_pane", "scrub"):  # fmt: skip
            return bool(self.folders)
        return True
