"""Chooses the runs that are compared: every run there is, those that are compared now are marked."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runs.clock import local_time
from runs.compare import MOST_RUNS
from runs.folder import RunFolder
from runs.status import SIGNS
from runs.summary import RunSummary
from tui.feeds import FeedFailed
from tui.index_feed import IndexFeed, RunsListed
from tui.run_cells import fit
from tui.run_filter import FilterError, filter_runs
from tui.safe_text import FAINT, plain, safe_text
from tui.widgets.line_input import LineInput
from tui.widgets.nothing_there import nothing_there

_MOST_LINES = 200
_EMPTY = ("No runs yet.", "Press esc, then n, to start one.")
_NO_MATCH = ("No run matches.", "/ goes to the filter.")
_OTHERS = 55  # cells of a line beside the run's name


class ChooseRunsDialog(ModalScreen[tuple[RunFolder, ...] | None]):
    """Dismissed with the marked runs, the ones compared before first; with None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "choose.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Cancel", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("slash", "filter", "Filter", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self, runs: Path, compared: tuple[RunFolder, ...]) -> None:
        super().__init__()
        self.rows: tuple[RunSummary, ...] = ()
        self.marked: dict[str, RunFolder] = {folder.id: folder for folder in compared}
        self._first = frozenset(self.marked)  # stand first; a mark moves no line while one goes on marking
        self._shown: tuple[RunSummary, ...] = ()
        self._is_listed = False
        self._feed = IndexFeed(runs, self)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = "Runs to compare"
            yield LineInput(placeholder="words, state:finished, preset:v1, tag:keep, loss<6", id="wanted")
            yield Static(id="wrong", classes="error")
            yield Static(id="heads")
            yield OptionList(id="found", markup=False)
            yield Static(id="told", classes="hint foot")

    def on_mount(self) -> None:
        """Begin to list."""
        if not self.query("#told"):
            return  # it was closed before it was composed
        self.query_one("#wrong").display = False
        self.query_one(OptionList).focus()
        self._feed.start()
        self._tell()

    def on_unmount(self) -> None:
        """End the feed."""
        self._feed.stop()

    @on(RunsListed)
    def _take_rows(self, message: RunsListed) -> None:
        self.rows, self._is_listed = message.rows, True
        self._find()

    @on(FeedFailed)
    def _failed(self, message: FeedFailed) -> None:
        message.stop()
        self.log.error(message.report)
        words = f"listing the runs failed; this is a defect of ours: {message.last_line}"
        self.notify(safe_text(words, 500), severity="error", markup=False, timeout=30)

    @on(LineInput.Changed)
    def _typed(self) -> None:
        self._find()

    @on(LineInput.Submitted)
    def _entered(self) -> None:
        for found in self.query(OptionList):
            found.focus()

    def _find(self) -> None:
        """Show the runs that match, those that were compared before this first."""
        if not self.query("#told"):
            return
        wanted, wrong = self.query_one(LineInput).value, self.query_one("#wrong", Static)
        try:
            shown = filter_runs(self.rows, wanted)
            wrong.display = False
        except FilterError as error:
            wrong.update(plain(str(error), 300))
            wrong.display = True
            return
        self._shown = tuple(sorted(shown, key=lambda row: row.id not in self._first))[:_MOST_LINES]
        found = self.query_one(OptionList)
        here = found.highlighted_option.id if found.highlighted_option is not None else None
        heads = f"  {'run':{self._name_width}} {'preset':14} {'state':11} {'val loss':>8} {'made':>12}"
        self.query_one("#heads", Static).update(plain(heads))
        found.clear_options()
        found.add_options([Option(self._line(row), id=row.id) for row in self._shown])
        if self._is_listed and not self._shown:
            found.add_option(nothing_there(*(_NO_MATCH if self.rows else _EMPTY)))
        ids = [row.id for row in self._shown]
        found.highlighted = ids.index(here) if here in ids else (0 if ids else None)
        self._tell(len(shown) - len(self._shown))

    @property
    def _name_width(self) -> int:
        """Cells for the names: more where there is room."""
        return min(max(self.query_one(OptionList).content_size.width - _OTHERS, 16), 28)

    def on_resize(self) -> None:
        """Names have more room, or less."""
        self.call_after_refresh(self._find)

    def _line(self, row: RunSummary) -> Content:
        sign = "✓" if row.id in self.marked else " "
        best = "-" if row.best_loss is None else f"{row.best_loss:.4f}"
        made = local_time(row.created, "%d %b %H:%M") if row.created else ""
        width = self._name_width
        name, preset = fit(safe_text(row.name, 60), width, False), fit(safe_text(row.preset, 60), 14, False)
        return Content.assemble(
            (f"{sign} ", "bold"), plain(f"{name} {preset} "),
            plain(f"{SIGNS[row.status.state]} {row.status.state:9}"), f" {best:>8} {made:>12}  ",
            plain(" ".join(row.tags), 40, FAINT),
        )  # fmt: skip

    def _tell(self, num_left: int = 0) -> None:
        keys = "space marks · / filters · enter compares · esc cancels"
        words = f"{len(self.marked)} marked of at most {MOST_RUNS} · {keys}"
        if num_left > 0:
            words = f"{num_left:,} more: / narrows · {words}"
        if self._is_listed and not self.rows:
            words = "esc goes back"
        for told in self.query("#told"):
            if isinstance(told, Static):
                told.update(plain(words))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        for found in self.query(OptionList):
            (found.action_cursor_down if by > 0 else found.action_cursor_up)()

    def action_filter(self) -> None:
        """Type a filter."""
        for field in self.query(LineInput):
            field.focus()

    def action_back(self) -> None:
        """From the filter to the list, and from there away."""
        field, found = self.query(LineInput), self.query(OptionList)
        if field and found and field.first(LineInput).has_focus:
            found.first(OptionList).focus()
        else:
            self.dismiss(None)

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        for found in self.query(OptionList):
            place = found.highlighted
            if place is None or place >= len(self._shown):
                return
            row = self._shown[place]
            if row.id in self.marked:
                del self.marked[row.id]
            elif len(self.marked) >= MOST_RUNS:
                self.notify(f"{MOST_RUNS} runs are as many as can be told apart.", markup=False, timeout=5)
                return
            else:
                self.marked[row.id] = row.folder
            found.replace_option_prompt_at_index(place, self._line(row))
            self._tell()

    @on(OptionList.OptionSelected)
    def _chosen(self) -> None:
        """Compare the marked ones; without a mark, the one under the cursor."""
        if not self.marked:
            self.action_mark()
        self.dismiss(tuple(self.marked.values()))
