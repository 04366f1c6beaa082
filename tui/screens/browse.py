"""Runs: every run with its state and figures; find, arrange, open, act on one or on many."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from runs.folder import RunFolder
from runs.run_summary import RunSummary
from runs.status import SIGNS
from runs.trash_use import TrashUse
from tui.commands import bindings_of
from tui.figures import num_bytes
from tui.index_feed import IndexFeed, Place, RunsListed
from tui.run_fields import metrics_of
from tui.run_filter import HELP as FILTER_HELP
from tui.run_words import in_lines, place_words
from tui.safe_text import FAINT, plain, safe_text
from tui.screens.browse_commands import COMMANDS, HELP
from tui.screens.browse_marks import MarkedRuns
from tui.screens.run_screen import LEFT_KEYS, REFUSED_KEYS
from tui.widgets.footer import KeyFooter
from tui.widgets.line_input import FilterInput, LineInput
from tui.widgets.run_table import RunTable

_NO_RUNS = "No runs yet. Press n to start one."


class RunsScreen(MarkedRuns):
    """Shows what its feed lists, arranged as one wants it; the cursor stays on its run."""

    CSS_PATH = "browse.tcss"
    AUTO_FOCUS = ""  # never the filter, when a dialog closes over an empty list
    SCREEN_COMMANDS = COMMANDS
    HELP_TITLE = "Runs"
    FEED_FAILED = "listing the runs failed; this is a defect of ours"
    HELP = HELP + FILTER_HELP
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
        self._feed: IndexFeed | None = None
        self._is_listed = False
        self._num_unread, self._trash_use = 0, TrashUse()

    @property
    def shown(self) -> tuple[RunSummary, ...]:
        """The runs that match the filter, in their order."""
        return self.result.runs

    def compose(self) -> ComposeResult:
        yield FilterInput(placeholder="words, state:running, loss<6, tag:keep, age<2d, optim.lr>1e-4", id="filter")
        yield Static(id="mistake")
        yield self.table
        yield Static(id="empty")
        yield Static(id="said")
        yield KeyFooter()

    def on_mount(self) -> None:
        """Begin to list."""
        if not self.table.is_attached:
            return  # the app was told to end before the screen was composed
        runs: Path = self.app.runs  # type: ignore[attr-defined]
        self.query_one("#mistake").display = False
        self.recall()
        self._feed = IndexFeed(runs, self)
        self._feed.start()
        self.table.focus()

    @on(RunsListed)
    def _take_rows(self, message: RunsListed) -> None:
        if not self.table.is_attached:
            return  # the app takes its screens apart
        if message.rows is not self.rows:
            self.metrics = metrics_of(message.rows)
        self.rows, self._is_listed, self._num_unread = message.rows, True, message.num_unread
        self._places, self._trash_use = message.places, message.trash
        self.refresh_list()
        self.withdraw_question()

    def show_list(self) -> None:
        """Show what came of the arrangement."""
        result, listing = self.result, self.listing
        table = self.table
        table.show(result.lines, listing, self._places, self.metrics, self._marked)
        table.border_title = plain(f"Runs · {self.order_words}", 120)
        table.border_subtitle = self._counts()
        self._show_table(bool(result.lines))
        self._show_mistake()
        empty = self.query_one("#empty", Static)
        empty.display = self._is_listed and not result.lines
        if empty.display:
            empty.update(plain(self._why_empty(), style=FAINT))
        self._scrolled()
        self._tell()

    def _show_table(self, is_shown: bool) -> None:
        """A list that is hidden gives up the focus, or the filter would get it and take the next keys as text."""
        table, field = self.table, self.query_one("#filter", LineInput)
        field.can_focus = is_shown or (self.focused is field and field.can_focus)
        if self.focused is table and not is_shown:
            self.set_focus(None)
        table.display = is_shown
        if is_shown and self.focused is None:
            table.focus()

    def _why_empty(self) -> str:
        if not self.rows:
            return _NO_RUNS
        if self.result.num_archived:
            return f"{self.result.num_archived} archived. A shows archived runs."
        if self.result.num_unread:
            return (
                f"No run matches {self.listing.query!r} so far; {self.result.num_unread:,} are still being read."
            )
        return f"No run matches {self.listing.query!r}. esc clears the filter."

    def _show_mistake(self) -> None:
        """Below the filter: where it is wrong, and why."""
        said = self.query_one("#mistake", Static)
        error = self.result.error
        said.display = error is not None
        if error is not None:
            width = max(1, self.query_one("#filter", LineInput).content_size.width or self.size.width - 4)
            at = min(error.position, width - 1)
            words = safe_text(str(error), 300)
            line = f"{' ' * at}^ {words}" if at + len(words) + 2 <= width else f"at character {at + 1}: {words}"
            said.update(Content(line))

    def _tell(self) -> None:
        """The line below the table: what cannot be read in the row under the cursor."""
        row = self.selected
        words = said_of(row, self._places.get(row.id)) if row else ""
        said = self.query_one("#said", Static)
        height = 2 if self.has_class("-narrow") or self.has_class("-tiny") else 1
        lines = in_lines(safe_text(words, 400), (said.content_size.width or self.size.width) - 1, height)
        said.update(Content("\n").join(plain(line, 400) for line in lines.split("\n")))
        self.refresh_bindings()

    def _counts(self) -> Content:
        shown, hidden = self.result.runs, self.table.num_hidden_columns
        is_part = bool(self.listing.query)
        parts = [f"{len(shown):,} of {len(self.rows):,}" if is_part else f"{len(shown):,}"]
        unread = self._num_unread + self.result.num_unread
        parts += [f"reading {unread:,} more"] if unread else []
        parts += [f"{num:,} marked"] if (num := self.num_marked) else []
        queued = sum(row.status.state == "queued" for row in self.rows)
        parts += [f"{live:,} live"] if (live := sum(row.status.is_live for row in self.rows) - queued) else []
        parts += [f"{queued:,} queued"] if queued else []
        parts += [f"{self.result.num_archived:,} archived"] if self.result.num_archived else []
        sizes = [row.num_bytes for row in shown if row.num_bytes is not None]
        parts += [num_bytes(sum(sizes))] if sizes else []
        parts += [f"trash {num_bytes(self._trash_use.num_bytes)}"] if self._trash_use.num_bytes else []
        parts += (
            [f"{hidden} column{'' if hidden == 1 else 's'} do{'es' if hidden == 1 else ''} not fit"]
            if hidden
            else []
        )
        return Content(" · ".join(parts))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the run under the cursor allows; with marks, what can be done to several."""
        if action in ("open", "copy"):
            return self.is_mounted and self.selected is not None
        if action in ("stop", "resume", "delete", "tags") and self.is_mounted and self.num_marked:
            return True
        if action in ("fork", "clone", "compare"):
            return self.is_mounted and self.choice is not None
        return super().check_action(action, parameters)

    @on(RunTable.Moved)
    def _moved(self) -> None:
        self._tell()

    @on(RunTable.Scrolled)
    def _scrolled(self) -> None:
        if self._feed is not None:
            self._feed.look_first(self.table.in_sight)

    @on(RunTable.Opened)
    async def _opened(self) -> None:
        await self.action_open()

    async def action_back(self) -> None:
        """Take the marks away, else clear the filter, else go to the run that was watched last."""
        if not self.clear_marks() and not self.clear_filter():
            await self.run_action("app.show_monitor")

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self.table.action_move(by)

    async def action_open(self) -> None:
        """Watch the run."""
        if (row := self.selected) is not None:
            await _open(self.app, row.folder)

    def look_now(self) -> None:
        """List again at once."""
        if self._feed is not None:
            self._feed.look_now()


def said_of(row: RunSummary, place: Place | None) -> str:
    """A line about a run: that it is not ours, what it waits for, why it failed, or what was noted of it."""
    if row.read_only:
        return f"⊘ {row.read_only}"
    if place is not None:
        return f"◌ {place_words(place.number, place.reason)}; J K move it, x takes it out"
    if row.root_cause:
        return f"✗ {row.root_cause}"
    if row.remark:
        return f"{SIGNS[row.status.state]} {row.remark}"
    if row.status.is_live and row.status.reason:
        return row.status.reason
    return " · ".join(part for part in (row.note, _origin_words(row), _size_words(row)) if part)


def _origin_words(row: RunSummary) -> str:
    sweep = f"sweep {row.sweep}" if row.sweep else ""
    return f"forked from {row.forked_from}" if row.forked_from else sweep


def _size_words(row: RunSummary) -> str:
    """What of the disk is checkpoints."""
    if row.num_bytes is None or row.checkpoint_bytes is None or not row.num_checkpoints:
        return ""
    count = f"{row.num_checkpoints} checkpoint{'' if row.num_checkpoints == 1 else 's'}"
    return f"{count} {num_bytes(row.checkpoint_bytes)} of {num_bytes(row.num_bytes)}"


async def _open(app: Any, folder: RunFolder) -> None:
    await app.open_run(folder)
