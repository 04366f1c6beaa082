"""What came of a sweep: a row a run, the best first, read again every second while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from rich.cells import cell_len, set_cell_size
from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runs.folder import About, RunFolder
from runs.summary import RunIndex
from runs.sweep import SweepReader, SweepRow, SweepSummary, SweepTable, loss_of, sweeps
from tui.messages import FeedFailed
from tui.polling_feed import PollingFeed
from tui.safe_text import ELLIPSIS, FAINT, plain, safe_text
from tui.screens.dialogs import ChoiceDialog
from tui.sweep_words import cells, headings, state_words

_POLL_S = 1.0
_GAP = 2
_WIDEST = 22
_MARKED = "•"
_LONGEST = 500
_MOST_CHOICES = 12


@dataclass(frozen=True)
class SweepChoice:
    """What to open from the table: one run, or several to compare."""

    folders: tuple[RunFolder, ...]
    to_compare: bool


@dataclass(frozen=True)
class _Line:
    """A run as it is drawn."""

    text: str
    is_best: bool
    has_failed: bool


def show_sweep(app: App[Any], id: str) -> None:
    """Lay the table of a sweep over the screen; a run that is chosen there is opened on Monitor."""

    async def opened(choice: SweepChoice | None) -> None:
        if choice is None:
            return
        if choice.to_compare:
            await app.open_compare(choice.folders)  # type: ignore[attr-defined]
        else:
            await app.open_run(choice.folders[0])  # type: ignore[attr-defined]

    app.push_screen(SweepResults(app.runs, id), opened)  # type: ignore[attr-defined]


def show_sweep_of(app: App[Any], about: About) -> None:
    """The table of the sweep that a run belongs to; says so when it belongs to none."""
    if about.sweep:
        show_sweep(app, about.sweep)
    else:
        name = safe_text(about.name, 60)
        app.notify(f"{name} belongs to no sweep. S on Launch starts one.", markup=False, timeout=4)


async def choose_sweep(app: App[Any]) -> str | None:
    """The id of a sweep that a person chose among the newest; the only one without asking, None without any."""
    runs: Path = app.runs  # type: ignore[attr-defined]
    found = sweeps(await asyncio.to_thread(RunIndex(runs).poll))
    if not found:
        app.notify("No sweep yet. Press S on Launch to make one.", markup=False)
        return None
    if len(found) == 1:
        return found[0].id
    choices = tuple((f"sweep-{at}", _told(one)) for at, one in enumerate(found[:_MOST_CHOICES]))
    more = "" if len(found) <= _MOST_CHOICES else f" of {len(found)}; the command line lists all"
    answer = await app.push_screen_wait(ChoiceDialog("Which sweep?", f"The newest{more}.", choices))
    return None if answer is None else found[int(answer.removeprefix("sweep-"))].id


def _told(one: SweepSummary) -> str:
    best = "" if one.best is None else f", best {loss_of(one.best):.4f}"
    return f"{one.id}: {one.num_over} of {one.num_runs} done{best}"


class SweepResults(ModalScreen[SweepChoice | None]):
    """Dismissed with what shall be opened, None on esc."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["dialogs.tcss", "sweep_results.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Back", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("c", "compare", "Compare", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    @dataclass
    class Polled(Message):
        """The feed has read the sweep, and something is new."""

        table: SweepTable

    def __init__(self, runs: Path, id: str) -> None:
        super().__init__()
        self._id = id
        self._reader = SweepReader(runs, id)
        self._feed = PollingFeed(f"sweep {id}", self, self._look, _POLL_S)
        self._posted: SweepTable | None = None
        self.table: SweepTable | None = None
        self._marked: set[str] = set()
        self._has_moved = False  # the cursor, by a person
        self._lines: dict[str, _Line] = {}  # as they are drawn, by the run's id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(f"Sweep {self._id}", 60)
            yield Static("… reading the runs", id="state")
            yield Static("", id="heads")
            yield OptionList(id="rows", markup=False)
            yield Static("", id="detail")
            yield Static("enter opens a run, space marks, c compares what is marked or all; esc goes back",
                         classes="hint")  # fmt: skip

    def on_mount(self) -> None:
        self.query("#rows").focus()
        self._feed.start()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        self._feed.stop()

    def _look(self) -> None:
        """In the feed's thread."""
        table = self._reader.poll()
        if table is not self._posted:
            self._posted = table
            self.post_message(self.Polled(table))

    @on(Polled)
    def _polled(self, event: Polled) -> None:
        self.table = event.table
        self._draw()

    @on(FeedFailed)
    def _failed(self, event: FeedFailed) -> None:
        self.log.error(event.report)
        last = event.report.strip().splitlines()[-1]
        for shown in self.query("#state").results(Static):
            shown.update(plain(f"✗ reading the sweep failed; a defect of ours: {last}", 300, "$text-error"))

    def on_resize(self, event: events.Resize) -> None:
        """Columns are cut to the width."""
        if self.table is not None:
            self._draw()

    def _draw(self) -> None:
        table = self.table
        if table is None or not self.query("#rows"):
            return
        options = self.query_one("#rows", OptionList)
        width = max(options.scrollable_content_region.width, 20)
        rows = [cells(table, row)[:-1] for row in table.rows]  # a run's name says its values once more
        heads = headings(table)[:-1]
        columns = fitting_columns([heads, *rows], width - 2)
        heads, *rows = [tuple(line[at] for at in columns) for line in (heads, *rows)]
        widths = _widths([heads, *rows])
        heads = tuple(
            head.rjust(size) if all(_is_number(row[at]) for row in rows) else head
            for at, (head, size) in enumerate(zip(heads, widths, strict=True))
        )
        self.query_one("#state", Static).update(plain(state_words(table), 300))
        self.query_one("#heads", Static).update(Content.styled(_line(heads, widths, width - 2, " "), FAINT))
        lines = {
            row.run.id: _Line(
                _line(texts, widths, width - 2, self._mark(row)), row.is_best, row.run.status.state == "failed"
            )
            for row, texts in zip(table.rows, rows, strict=True)
        }
        self._show(options, lines)
        self._say_detail()

    def _mark(self, row: SweepRow) -> str:
        return _MARKED if row.run.id in self._marked else " "

    def _show(self, options: OptionList, lines: dict[str, _Line]) -> None:
        """Change the lines that differ; build the list anew only when runs came, went or changed places."""
        if list(lines) == list(self._lines):
            for id, line in lines.items():
                if line != self._lines[id]:
                    options.replace_option_prompt(id, _content(line))
        else:
            here = self._here
            stays = self._has_moved and here in lines  # else it is on the best, whichever that is by now
            with self.prevent(OptionList.OptionHighlighted):
                options.clear_options()
                options.add_options([Option(_content(line), id=id) for id, line in lines.items()])
                if lines:
                    options.highlighted = list(lines).index(here) if stays else 0
        self._lines = lines

    @property
    def _here(self) -> str:
        """The id of the run under the cursor."""
        for options in self.query("#rows").results(OptionList):
            if options.highlighted is not None:
                return options.get_option_at_index(options.highlighted).id or ""
        return ""

    def _row(self, id: str) -> SweepRow | None:
        rows = self.table.rows if self.table is not None else ()
        return next((row for row in rows if row.run.id == id), None)

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self._has_moved = True
        self._say_detail()

    def _say_detail(self) -> None:
        row = self._row(self._here)
        if row is None:
            sentence = "" if self.table is None else "No run of this sweep is left."
        else:
            why = row.run.root_cause or row.run.remark or row.run.status.reason
            sentence = f"{row.run.name}  {row.run.id}" + (f": {why}" if why else "")
        for shown in self.query("#detail").results(Static):
            shown.update(plain(safe_text(sentence), 300, FAINT))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        row = self._row(event.option_id or "")
        if row is not None:
            self.dismiss(SweepChoice((row.run.folder,), False))

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away."""
        if self._here:
            self._marked ^= {self._here}
            self._draw()

    def action_compare(self) -> None:
        """Compare what is marked, else the best ones."""
        if self.table is None or not self.table.rows:
            return
        chosen = [row for row in self.table.rows if row.run.id in self._marked] or list(self.table.rows)
        self.dismiss(SweepChoice(tuple(row.run.folder for row in chosen[:12]), True))

    def action_move(self, by: int) -> None:
        """Move the cursor as the arrow keys do."""
        for options in self.query("#rows").results(OptionList):
            options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)


def _content(line: _Line) -> Content:
    style = "bold" if line.is_best else "$text-error" if line.has_failed else ""
    return plain(line.text, _LONGEST, style)


def fitting_columns(lines: Sequence[Sequence[str]], width: int) -> tuple[int, ...]:
    """Which columns are shown in so many cells: without the ones that are missed least, where not all fit."""
    last, widths = len(lines[0]) - 1, _widths(lines)
    shown = list(range(last + 1))
    for spared in (2, 3, last, last - 1):  # best at, last loss, time, step
        if sum(widths[at] + _GAP for at in shown) <= width:
            break
        shown.remove(spared)
    return tuple(shown)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [min(max(map(cell_len, column)), _WIDEST) for column in zip(*lines, strict=True)]


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell in ("–", "?")


def _line(texts: Sequence[str], widths: Sequence[int], width: int, mark: str) -> str:
    """Cells in columns, figures to the right; `…` where the screen is too narrow."""
    parts = []
    for text, size in zip(texts, widths, strict=True):
        cell = safe_text(text, size)
        room = " " * (size - cell_len(cell))
        parts.append(room + cell if _is_number(cell) else cell + room)
    line = f"{mark} " + (" " * _GAP).join(parts).rstrip()
    return line if cell_len(line) <= width else set_cell_size(line, max(width - 1, 1)) + ELLIPSIS
