"""Runs: every run with its state and figures; find, open, resume, stop, delete, take back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from runs import launch
from runs.folder import About, RunFolder
from runs.status import SIGNS
from runs.summary import RunSummary
from tui import run_actions
from tui.commands import Command, bindings_of
from tui.feeds import FeedFailed
from tui.figures import num_bytes
from tui.index_feed import IndexFeed, Place, RunsListed
from tui.run_actions import RunChoice
from tui.run_filter import SORTS, filter_runs, sort_runs
from tui.run_words import in_lines, place_words
from tui.safe_text import FAINT, plain, safe_text
from tui.screens.dialogs import ConfirmDialog
from tui.screens.run_screen import LEFT_KEYS, QUEUE_COMMANDS, REFUSED_KEYS, RunScreen
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import LineInput
from tui.widgets.run_table import MOST_ROWS, RunTable

COMMANDS = (
    Command("open", "enter", "Open", "Watch the run under the cursor.", "open"),
    Command("filter", "slash", "Filter", "Show only runs that match: words, state:failed, loss<6.", "filter",
            key_display="/"),
    Command("sort", "o", "Sort", "Order by newest, best loss, name or state.", "sort", show=False),
    Command("resume", "r,p", "Resume", "Go on from a checkpoint, when the run is not live.", "resume",
            show=False),
    Command("relaunch", "R", "Relaunch", "Go on from the last checkpoint, or from the beginning, at once.",
            "relaunch"),
    Command("stop", "x", "Stop", "Stop with a checkpoint, or take out of the queue; asks first.", "stop"),
    *QUEUE_COMMANDS,
    Command("kill", "X", "Kill", "Kill the run without saving; its name has to be typed.", "kill", show=False),
    Command("pause", "p", "Pause", "Save a checkpoint and free the device until a resume; asks first.", "pause",
            show=False),
    Command("edit", "e", "Edit", "Change the run's name, tags and note.", "edit", show=False),
    Command("delete", "d", "Delete", "Move the run into the trash; asks first.", "delete"),
    Command("undo", "ctrl+z", "Undo", "Take back the last deletion.", "undo", show=False, key_display="^z"),
    Command("copy", "y", "Copy path", "Copy the path of the run's folder.", "copy", show=False),
)  # fmt: skip


class RunsScreen(RunScreen):
    """Shows what its feed lists, filtered and ordered; the cursor stays on its run."""

    CSS_PATH = "browse.tcss"
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Runs"
    HELP = (
        "Every run there is, newest first; live ones move. Losses are validation losses in nats. "
        "Runs that wait for free devices stand first, in their order; J and K move them. "
        "The filter takes words, which may stand anywhere, and state:running, preset:v1, data:imdb, tag:keep, "
        "loss<6, step>100; all of them have to hold."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *LEFT_KEYS,
        *bindings_of(COMMANDS),
        *REFUSED_KEYS,
        Binding("escape", "back", "Back", show=False),
        Binding("j", "move(1)", show=False),
        Binding("k", "move(-1)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[RunSummary, ...] = ()
        self.shown: tuple[RunSummary, ...] = ()
        self._feed: IndexFeed | None = None
        self._sort = SORTS[0]
        self._is_listed = False
        self._places: Mapping[str, Place] = {}
        self._read_only: Mapping[str, str] = {}
        self._trash: list[tuple[Path, str]] = []

    def compose(self) -> ComposeResult:
        yield LineInput(placeholder="words, state:running, preset:v1, tag:keep, loss<6", id="filter")
        yield RunTable(id="table")
        yield Static(id="empty")
        yield Static(id="said")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin to list."""
        if not self.query(RunTable):
            return  # the app was told to end before the screen was composed
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        self.query_one("#filter").display = False
        self._feed = IndexFeed(runs, self)
        self._feed.start()
        self.query_one(RunTable).focus()

    def on_unmount(self) -> None:
        """End the feed."""
        if self._feed is not None:
            self._feed.stop()

    def on_screen_suspend(self) -> None:
        """Rest when another screen is shown."""
        if self._feed is not None and self not in self.app.screen_stack:
            self._feed.pause(True)

    def on_screen_resume(self) -> None:
        """Go on listing."""
        if self._feed is not None:
            self._feed.pause(False)

    @on(RunsListed)
    def _take_rows(self, message: RunsListed) -> None:
        self.rows, self._is_listed = message.rows, True
        self._places, self._read_only = message.places, message.read_only
        self._show()
        self.withdraw_question()

    @on(FeedFailed)
    def _feed_failed(self, message: FeedFailed) -> None:
        message.stop()
        self.log.error(message.report)
        words = f"listing the runs failed; this is a defect of ours: {message.report.strip().splitlines()[-1]}"
        self.notify(safe_text(words, 500), severity="error", markup=False, timeout=30)

    def _show(self) -> None:
        query = self.query_one("#filter", LineInput).value
        self.shown = queue_first(sort_runs(filter_runs(self.rows, query), self._sort), self._places)
        table = self.query_one(RunTable)
        table.show(self.shown, self._places, frozenset(self._read_only))
        table.border_title = f"Runs · {self._sort}"
        table.border_subtitle = self._counts(query)
        table.display = bool(self.shown)
        empty = self.query_one("#empty", Static)
        empty.display = self._is_listed and not self.shown
        if empty.display:
            words = f"No run matches {query!r}. esc clears the filter." if self.rows else _NO_RUNS
            empty.update(plain(words, style=FAINT))
        self._tell()

    def _tell(self) -> None:
        """The line below the table: what cannot be read in the row under the cursor."""
        row = self.selected
        words = said_of(row, self._places.get(row.id), self._read_only.get(row.id, "")) if row else ""
        said = self.query_one("#said", Static)
        height = 2 if self.has_class("-narrow") or self.has_class("-tiny") else 1
        lines = in_lines(safe_text(words, 400), (said.content_size.width or self.size.width) - 1, height)
        said.update(Content("\n").join(plain(line, 400) for line in lines.split("\n")))
        self.refresh_bindings()

    def _counts(self, query: str) -> Content:
        parts = [f"{len(self.shown)} of {len(self.rows)}" if query else f"{len(self.rows)}"]
        if len(self.shown) > MOST_ROWS:
            parts.append(f"the first {MOST_ROWS}; filter with /")
        queued = sum(row.status.state == "queued" for row in self.rows)
        parts += [f"{live} live"] if (live := sum(row.status.is_live for row in self.rows) - queued) else []
        parts += [f"{queued} queued"] if queued else []
        sizes = [row.num_bytes for row in self.shown if row.num_bytes is not None]
        parts += [num_bytes(sum(sizes))] if sizes else []
        return Content(" · ".join(parts))

    @property
    def selected(self) -> RunSummary | None:
        """The run under the cursor."""
        table = next(iter(self.query(RunTable)), None)  # none, when the app ends meanwhile
        id = table.selected_id if table is not None else None
        return next((row for row in self.shown if row.id == id), None)

    @property
    def choice(self) -> RunChoice | None:
        """The run under the cursor, as one can act on it."""
        row = self.selected
        if row is None:
            return None
        about = About(row.name, row.preset, row.tags, row.note, row.created)
        place = self._places.get(row.id)
        number = place.number if place is not None else 0
        is_last = number >= max((one.number for one in self._places.values()), default=0)
        read_only = self._read_only.get(row.id, "")
        return RunChoice(row.folder, about, row.status, read_only=read_only, place=number, is_last=is_last)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the run under the cursor allows."""
        if action in ("open", "copy"):
            return self.is_mounted and self.selected is not None
        return super().check_action(action, parameters)

    @on(DataTable.RowHighlighted)
    def _moved(self) -> None:
        self._tell()

    @on(DataTable.RowSelected)
    async def _opened(self) -> None:
        await self.action_open()

    @on(LineInput.Changed, "#filter")
    def _typed(self) -> None:
        self._show()

    @on(LineInput.Submitted, "#filter")
    def _entered(self) -> None:
        self.query_one(RunTable).focus()
        self.query_one("#filter").display = bool(self.query_one("#filter", LineInput).value)

    def action_filter(self) -> None:
        """Type a filter."""
        field = self.query_one("#filter", LineInput)
        field.display = True
        field.focus()

    async def action_back(self) -> None:
        """Clear the filter, else go to the run that was watched last."""
        field = self.query_one("#filter", LineInput)
        if field.display:
            field.value = ""
            field.display = False
            self.query_one(RunTable).focus()
            self._show()
        else:
            await self.run_action("app.show_monitor")

    def action_sort(self) -> None:
        """Take the next order."""
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self._show()

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        table = self.query_one(RunTable)
        table.move_cursor(row=max(0, min(table.row_count - 1, table.cursor_row + by)), animate=False)

    async def action_open(self) -> None:
        """Watch the run."""
        if (row := self.selected) is not None:
            await _open(self.app, row.folder)

    def action_delete(self) -> None:
        """Move the run into the trash."""
        if (row := self.selected) is None:
            return
        name = safe_text(row.name, 60)
        size = f" ({num_bytes(row.num_bytes)})" if row.num_bytes is not None else ""
        body = f"{name}{size}, with its curves and checkpoints, goes into the trash. ctrl+z takes it back."

        def delete() -> None:
            self._trash.append((launch.delete_run(row.folder), name))

        def answered(is_sure: bool | None) -> None:
            if is_sure:
                run_actions.act(self, delete, f"{name} is in the trash; ctrl+z takes it back", self.look_now)

        dialog = ConfirmDialog("Delete this run?", body, confirm="Delete", danger=True)
        self.app.push_screen(dialog, answered)

    def action_undo(self) -> None:
        """Take back the last deletion."""
        if not self._trash:
            self.notify("Nothing was deleted that could be taken back.", markup=False, timeout=4)
            return
        trash, name = self._trash.pop()
        run_actions.act(self, lambda: launch.undelete_run(trash), f"{name} is back", self.look_now)

    def look_now(self) -> None:
        """List again at once."""
        if self._feed is not None:
            self._feed.look_now()


_NO_RUNS = "No runs yet. Press n to start one."


def queue_first(rows: tuple[RunSummary, ...], places: Mapping[str, Place]) -> tuple[RunSummary, ...]:
    """The runs that wait, in the order of the queue, then the others as they stand."""
    waiting = sorted((row for row in rows if row.id in places), key=lambda row: places[row.id].number)
    return (*waiting, *(row for row in rows if row.id not in places))


def said_of(row: RunSummary, place: Place | None, read_only: str) -> str:
    """A line about a run: that it is not ours, what it waits for, why it failed, or what was noted of it."""
    if read_only:
        return f"⊘ {read_only}"
    if place is not None:
        return f"◌ {place_words(place.number, place.reason)}; J K move it, x takes it out"
    if row.root_cause:
        return f"✗ {row.root_cause}"
    if row.remark:
        return f"{SIGNS[row.status.state]} {row.remark}"
    if row.status.is_live and row.status.reason:
        return row.status.reason
    return row.note


async def _open(app: Any, folder: RunFolder) -> None:
    await app.open_run(folder)
