"""What came of a sweep: a row a run, the best first, read again every second while it is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from runs.compare import MOST_RUNS
from runs.folder import About, RunFolder
from runs.sweep import SweepReader, SweepRow, SweepTable
from tui.messages import FeedFailed
from tui.polling_feed import PollingFeed
from tui.safe_text import FAINT, plain, safe_text
from tui.sweep_lines import SweepLine, sweep_lines
from tui.sweep_words import state_words

_POLL_S = 1.0
_LONGEST = 500


@dataclass(frozen=True)
class SweepChoice:
    """What to open from the table: one run, or several to compare."""

    folders: tuple[RunFolder, ...]
    to_compare: bool


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
        self._lines: dict[str, SweepLine] = {}  # as they are drawn, by the run's id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain(f"Sweep {self._id}", 60)
            yield Static("… reading the runs", id="state")
            yield Static("", id="heads")
            yield OptionList(id="rows", markup=False)
            yield Static("", id="detail")
            yield Static("enter opens a run, space marks, c compares what is marked or all; esc goes back",
                         classes="hint foot")  # fmt: skip

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
        for shown in self.query("#state").results(Static):
            shown.update(
                plain(f"✗ reading the sweep failed; a defect of ours: {event.last_line}", 300, "$text-error")
            )

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
        heads, lines = sweep_lines(table, self._marked, width - 2)
        self.query_one("#state", Static).update(plain(state_words(table), 300))
        self.query_one("#heads", Static).update(Content.styled(heads, FAINT))
        self._show(options, lines)
        self._say_detail()

    def _show(self, options: OptionList, lines: dict[str, SweepLine]) -> None:
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
        self.dismiss(SweepChoice(tuple(row.run.folder for row in chosen[:MOST_RUNS]), True))

    def action_move(self, by: int) -> None:
        """Move the cursor as the arrow keys do."""
        for options in self.query("#rows").results(OptionList):
            options.action_cursor_down() if by > 0 else options.action_cursor_up()

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)


def _content(line: SweepLine) -> Content:
    style = "bold" if line.is_best else "$text-error" if line.has_failed else ""
    return plain(line.text, _LONGEST, style)
