"""The list of runs: thousands of lines, of which only those in view are drawn, and only where they changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from runs.run_summary import RunSummary
from tui.component_style import component_style
from tui.places import Place
from tui.run_cells import about_of
from tui.run_columns import Column, column_of, fitting, with_longer_names, with_one_more
from tui.run_listing import Heading, Line, Listing
from tui.widgets.run_painter import GUTTER, RunPainter, column_at

_LOOKED_AT = 200


class RunTable(ScrollView, can_focus=True):
    """Shows the lines it is given; the cursor stays on its run, whatever comes above it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("run-table--header", "run-table--cursor", "run-table--marked", "run-table--heading"),
        *("run-table--good", "run-table--bad", "run-table--warn", "run-table--faint"),
    }
    DEFAULT_CSS = """
    RunTable { overflow-x: hidden; overflow-y: auto; }
    RunTable > .run-table--header { color: $foreground 65%; }
    RunTable > .run-table--cursor { background: $block-cursor-background; color: $block-cursor-foreground;
        text-style: $block-cursor-text-style; }
    RunTable > .run-table--marked { color: $accent; text-style: bold; }
    RunTable > .run-table--heading { color: $foreground; text-style: bold; }
    RunTable > .run-table--good { color: $text-success; }
    RunTable > .run-table--bad { color: $text-error; }
    RunTable > .run-table--warn { color: $text-warning; }
    RunTable > .run-table--faint { color: $foreground 65%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1_000_000_000)", show=False),
        Binding("end", "move(1_000_000_000)", show=False),
        Binding("left", "fold(True)", show=False),
        Binding("right", "fold(False)", show=False),
        Binding("enter", "open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another line."""

    class Scrolled(Message):
        """Other lines are in view."""

    class Opened(Message):
        """A run is to be watched."""

    class Folded(Message):
        """A heading is to hide its runs, or to show them."""

        def __init__(self, key: str, *, fold: bool) -> None:
            super().__init__()
            self.key, self.fold = key, fold

    class HeaderClicked(Message):
        """The list is to be sorted by that field."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane")
        self.cursor_row = 0
        self.num_hidden_columns = 0
        self._lines: tuple[Line, ...] = ()
        self._columns: tuple[Column, ...] = ()
        self._listing = Listing()
        self._metrics: Collection[str] = ()
        self._places: Mapping[str, Place] = {}
        self._marked: Collection[str] = ()
        self._painted: dict[int, Strip] = {}
        self._painter = RunPainter(self._style)

    @property
    def row_count(self) -> int:
        """Lines, headings too."""
        return len(self._lines)

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        return self._lines[self.cursor_row] if self.cursor_row < len(self._lines) else None

    @property
    def selected_id(self) -> str | None:
        """The id of the run under the cursor; None on a heading."""
        return self.line.id if isinstance(self.line, RunSummary) else None

    @property
    def in_sight(self) -> frozenset[str]:
        """The ids of the runs in view."""
        top = round(self.scroll_y)
        lines = self._lines[top : top + max(1, self.size.height - 1)]
        return frozenset(line.id for line in lines if isinstance(line, RunSummary))

    def show(
        self,
        lines: tuple[Line, ...],
        listing: Listing,
        places: Mapping[str, Place],
        metrics: Collection[str],
        marked: Collection[str],
    ) -> None:
        """Take the lines in the order in which they are to stand; the cursor stays on its run.

        places: of those in the queue, by id. marked: ids of the runs that the next action is about.
        """
        before = self._key_at(self.cursor_row)
        offset = self.cursor_row - round(self.scroll_y)
        self._lines, self._listing, self._places, self._marked = lines, listing, places, marked
        self._metrics = metrics
        if any(column.key == "age" for column in self._columns):
            self._painter.forget()
        self._choose_columns()
        if before and self._key_at(self.cursor_row) != before:
            found = next((at for at, line in enumerate(lines) if _key(line) == before), None)
            if found is not None:
                self.cursor_row = found
                self._grow()
                self.scroll_to(y=max(0, found - offset), animate=False, immediate=True)
        self.cursor_row = max(0, min(self.cursor_row, len(lines) - 1))
        if not before and isinstance(self.line, Heading) and not self.line.is_folded:
            self.cursor_row = 1  # what one wants at first is a run
        self._grow()
        self._repaint()

    def move_to(self, id: str) -> None:
        """Put the cursor on a run, if it is listed."""
        for at, line in enumerate(self._lines):
            if _key(line) == id:
                self._go(at)
                return

    def on_resize(self) -> None:
        """Take columns in or out as there is room."""
        self._choose_columns()
        self._grow()
        self._forget()
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled, by whatever way."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())

    def action_move(self, by: int) -> None:
        """Move the cursor by so many lines."""
        self._go(self.cursor_row + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by as many lines as are in view."""
        self._go(self.cursor_row + by * max(1, self.size.height - 2))

    def action_open(self) -> None:
        """Watch the run, or fold the group."""
        if isinstance(self.line, Heading):
            self.post_message(self.Folded(self.line.key, fold=not self.line.is_folded))
        elif self.line is not None:
            self.post_message(self.Opened())

    def action_fold(self, fold: bool) -> None:
        """Hide or show the runs of the group in which the cursor stands."""
        at = self.cursor_row
        while 0 <= at < len(self._lines):
            line = self._lines[at]
            if isinstance(line, Heading):
                if line.is_folded != fold:
                    self._go(at)
                    self.post_message(self.Folded(line.key, fold=fold))
                return
            at -= 1

    def on_click(self, event: events.Click) -> None:
        """Choose a line, open the one that is chosen, or sort by the column whose head it is."""
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y == 0:
            column = column_at(self._columns, place.x)
            if column is not None and column.sort:
                self.post_message(self.HeaderClicked(column.sort))
            return
        at = round(self.scroll_y) + place.y - 1
        if at >= len(self._lines):
            return
        if at == self.cursor_row:
            self.action_open()
        else:
            self._go(at)

    def render_line(self, y: int) -> Strip:
        """The head, or the line that stands there now."""
        strip = self._strip(y)
        self._painted[y] = strip
        return strip

    def notify_style_update(self) -> None:
        """Colours have changed."""
        super().notify_style_update()
        self._forget()

    def _forget(self) -> None:
        self._painted.clear()
        self._painter.forget()

    def _go(self, row: int) -> None:
        row = max(0, min(row, len(self._lines) - 1))
        if row == self.cursor_row:
            return
        before, self.cursor_row = self.cursor_row, row
        top, height = round(self.scroll_y), max(1, self.size.height - 1)
        if not top <= row < top + height:
            self.scroll_to(y=row if row < top else row - height + 1, animate=False, immediate=True)
        for at in (before, row):
            self.refresh_line(at + 1)
        self.post_message(self.Moved())

    def _choose_columns(self) -> None:
        looked_at = [line for line in self._lines[:_LOOKED_AT] if isinstance(line, RunSummary)]
        has_much_to_say = any(len(about_of(row, self._places.get(row.id))) > 14 for row in looked_at)
        width = (self.size.width or 78) - GUTTER
        chosen = self._listing.columns
        columns, self.num_hidden_columns = fitting(width, chosen, self._metrics, has_much_to_say)
        extra = self._sorted_column(columns)
        if extra is not None and not chosen:
            columns = with_one_more(columns, extra, width)
        names = (f"⊘ {row.name}" if row.read_only else row.name for row in looked_at)
        self._columns = with_longer_names(columns, names, width)
        self._painter.choose(self._columns, self._metrics)

    def _sorted_column(self, columns: tuple[Column, ...]) -> Column | None:
        """What it is sorted by is shown, also when that is none of the usual columns."""
        if any(column.sort == self._listing.sort for column in columns) or self._listing.sort == "created":
            return None
        return column_of(self._listing.sort, self._metrics)

    def _grow(self) -> None:
        size = Size(self.size.width, len(self._lines) + 1)
        if self.virtual_size != size:
            self.virtual_size = size

    def _repaint(self) -> None:
        """Draw again the lines in view that look otherwise than they did."""
        for y in range(self.size.height):
            if self._painted.get(y) != self._strip(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def _key_at(self, row: int) -> str:
        return _key(self._lines[row]) if 0 <= row < len(self._lines) else ""

    def _strip(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        if y == 0:
            return self._painter.head(self._listing, width, base + self._style("header"))
        at = round(self.scroll_y) + y - 1
        if at >= len(self._lines):
            return Strip.blank(width, base)
        line, is_under_cursor = self._lines[at], at == self.cursor_row
        if is_under_cursor:
            base += self._style("cursor")
        if isinstance(line, Heading):
            return self._painter.heading(line, width, base + self._style("heading"))
        return self._painter.run(
            line, self._places.get(line.id), width, base,
            is_marked=line.id in self._marked, is_under_cursor=is_under_cursor,
        )  # fmt: skip

    def _style(self, name: str) -> Style:
        return component_style(self, f"run-table--{name}")


def _key(line: Line) -> str:
    return line.id if isinstance(line, RunSummary) else line.key
