"""A pane of lines with a cursor: a head that stays, rows that scroll, and signs for what is out of sight."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import set_cell_size
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui.safe_text import FAINT, safe_text

Draw = Callable[[int], Content]


class LinesPane(Static, can_focus=True):
    """Draws the rows in sight and no others. Each row is a function of the width, so that a resize is cheap."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move_page(-1)", show=False),
        Binding("pagedown", "move_page(1)", show=False),
        Binding("home", "move(-1_000_000)", show=False),
        Binding("end", "move(1_000_000)", show=False),
        Binding("enter", "pick", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor came to another row."""

        pane: LinesPane
        row: int

    @dataclass
    class Picked(Message):
        """A row was taken by enter or by a click."""

        pane: LinesPane
        row: int

    def __init__(self, title: str, id: str) -> None:
        super().__init__("", id=id, classes="pane")
        self.border_title = title
        self.row = 0
        self._head: Sequence[Draw] = ()
        self._rows: Sequence[Draw] = ()
        self._top = 0
        self._head_height = 0
        self._shown: Content | None = None

    def show(self, head: Sequence[Draw], rows: Sequence[Draw], *, keep_row: bool = True) -> None:
        """Take what is to be seen; the cursor stays at its row where there are as many."""
        self._head, self._rows = head, rows
        self.row = max(0, min(self.row if keep_row else 0, len(rows) - 1))
        self.redraw()

    @property
    def num_rows(self) -> int:
        """How many rows there are, in sight or not."""
        return len(self._rows)

    def on_resize(self, event: events.Resize) -> None:
        self.redraw()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor looks another way while keys go elsewhere."""
        super().watch_has_focus(has_focus)
        self.redraw()

    def redraw(self) -> None:
        """Draw what is in sight."""
        width, height = self.content_size
        if not width or not height:
            return
        head = [line for draw in self._head for line in _drawn(draw, width).split("\n")][: max(0, height - 1)]
        self._head_height = len(head)
        room = height - len(head)
        num_rows = len(self._rows)
        room_for_rows = room if num_rows <= room else max(1, room - 1)
        self._top = max(0, min(self._top, num_rows - room_for_rows))
        if self.row < self._top:
            self._top = self.row
        elif self.row >= self._top + room_for_rows:
            self._top = self.row - room_for_rows + 1
        rows = range(self._top, min(num_rows, self._top + room_for_rows))
        lines = [*head, *(self._row_line(row, width) for row in rows)]
        above, below = self._top, num_rows - self._top - len(rows)
        if num_rows > room:
            words = " · ".join([*([f"▲ {above} above"] if above else []), *([f"▼ {below} more"] if below else [])])
            lines.append(Content.styled(words, FAINT))
        shown = Content("\n").join(lines)
        if self._shown is None or not shown.is_same(self._shown):
            self._shown = shown
            self.update(shown, layout=False)

    def _row_line(self, row: int, width: int) -> Content:
        line = _drawn(self._rows[row], width - 2)
        if row != self.row or not self.has_focus:
            return Content.assemble("  " if row != self.row else "· ", line)
        return Content.assemble(("▸ ", "bold $text-primary"), _bold(line))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        row = max(0, min(self.row + by, len(self._rows) - 1))
        if row != self.row:
            self.row = row
            self.redraw()
            self.post_message(self.Moved(self, row))

    def action_move_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_move(by * max(1, self.content_size.height - self._head_height - 2))

    def action_pick(self) -> None:
        """Take the row under the cursor."""
        if self._rows:
            self.post_message(self.Picked(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """Take the row that was clicked."""
        place = event.get_content_offset(self)
        if place is None:
            return
        row = self._top + place.y - self._head_height
        if place.y >= self._head_height and row < len(self._rows):
            self.clicked_at(place.x)
            self.row = row
            self.redraw()
            self.post_message(self.Picked(self, row))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_move(-3)

    def clicked_at(self, column: int) -> None:
        """A row is about to be taken by a click in that column; for panes whose rows have parts."""


def _drawn(draw: Draw, width: int) -> Content:
    return draw(width)


def _bold(line: Content) -> Content:
    return line.stylize("bold")


def note(words: str) -> Draw:
    """Faint words in as many lines as they take."""

    def draw(width: int) -> Content:
        lines = textwrap.wrap(safe_text(words, 2_000), max(1, width)) or [""]
        return Content.styled("\n".join(lines), FAINT)

    return draw


def fitted(text: str, cells: int) -> str:
    """Safe text in exactly as many cells, however wide its characters are; `…` for what is cut off."""
    shown = safe_text(text, cells)
    return safe_text(set_cell_size(shown, cells), cells)
