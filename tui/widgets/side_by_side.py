"""A table with a column for each run: labels and heads stay, whole columns and rows move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.component_style import component_style
from tui.safe_text import safe_text
from tui.table_rows import Cell, Head, Row

_LEAST, _LABEL, _NAME = 6, 28, 9
_GAP = "  "
_LABEL_SHARE = 0.45


class SideBySide(Widget, can_focus=True):
    """Shows rows under heads. Columns that do not fit are counted at the edge, and the arrow keys bring them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"side--head", "side--faint", "side--best", "side--cursor"}
    DEFAULT_CSS = """
    SideBySide { height: 1fr; }
    SideBySide .side--head { text-style: bold; }
    SideBySide .side--faint { color: $foreground 65%; }
    SideBySide .side--best { text-style: bold; color: $text-success; }
    SideBySide .side--cursor { background: $block-cursor-background; text-style: $block-cursor-text-style; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "row(-1)", show=False),
        Binding("down,j", "row(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "row(-100000)", show=False),
        Binding("end", "row(100000)", show=False),
        Binding("left,h", "column(-1)", show=False),
        Binding("right,l", "column(1)", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor stands on another row."""

        pane: str
        key: str

    def __init__(
        self, title: str, id: str, align_right: bool = True, widest: int = 20, narrowest: int = 24
    ) -> None:
        """widest, narrowest: cells of a column and of the labels, where there is not room for all."""
        super().__init__(id=id, classes="pane")
        self.border_title = Content(title)
        self.rows: tuple[Row, ...] = ()
        self.heads: tuple[Head, ...] = ()
        self.key = ""
        self._align_right, self._widest, self._narrowest = align_right, widest, narrowest
        self._empty = ""
        self._top = 0
        self._first = 0
        self._lines: tuple[Strip, ...] = ()
        self._said = ""

    def show(self, heads: Sequence[Head], rows: Sequence[Row], empty: str = "") -> None:
        """Take other contents; the cursor stays on its row. empty: what stands there when there are no rows."""
        new = (tuple(heads), tuple(rows), empty)
        if new == (self.heads, self.rows, self._empty):
            return
        at = self._at
        self.heads, self.rows, self._empty = new
        if self.row is None and self._places:
            self.key = self.rows[min(self._places, key=lambda place: abs(place - at))].key
        self._draw()

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return next((row for row in self.rows if row.key == self.key and not row.is_head), None)

    def go_to(self, key: str) -> None:
        """Put the cursor on a row."""
        if key != self.key:
            self.key = key
            self._draw()
            self.post_message(self.Moved(self.id or "", key))

    @property
    def _at(self) -> int:
        return next((place for place, row in enumerate(self.rows) if row.key == self.key), 0)

    @property
    def _places(self) -> list[int]:
        """Where the cursor can stand."""
        return [place for place, row in enumerate(self.rows) if not row.is_head]

    def action_row(self, by: int) -> None:
        """Move the cursor."""
        places = self._places
        if not places:
            return
        here = min(range(len(places)), key=lambda index: abs(places[index] - self._at))
        self.go_to(self.rows[places[min(max(here + by, 0), len(places) - 1)]].key)

    def action_page(self, by: int) -> None:
        """Move the cursor by as many rows as fit."""
        self.action_row(by * max(1, self.content_size.height - 2))

    def action_column(self, by: int) -> None:
        """Bring earlier or later columns into view."""
        self._first = min(max(self._first + by, 0), max(0, len(self.heads) - 1))
        self._draw()

    def on_focus(self, event: events.Focus) -> None:
        """Show where the cursor stands."""
        self._draw()

    def on_blur(self, event: events.Blur) -> None:
        """The cursor steps back."""
        self._draw()

    def on_resize(self, event: events.Resize) -> None:
        """Show as much as there is room for."""
        self._draw()

    def notify_style_update(self) -> None:
        """Another theme has other colours."""
        super().notify_style_update()
        if self.is_attached and self.size:
            self._draw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.action_row(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.action_row(-3)

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row that was clicked."""
        place = event.get_content_offset(self)
        at = self._top + place.y - 1 if place is not None else -1
        if place is not None and place.y > 0 and at in self._places:
            self.go_to(self.rows[at].key)

    def render_line(self, y: int) -> Strip:
        """One line, over the pane's background."""
        width, style = self.size.width, self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, style)
        return self._lines[y].adjust_cell_length(width).apply_style(style)

    def _draw(self) -> None:
        """Make the lines anew, and repaint those that differ."""
        width, height = self.content_size
        if not width or not height:
            return
        before, self._lines = self._lines, tuple(self._make_lines(width, height))
        regions = [
            Region(0, y, self.size.width, 1)
            for y in range(max(len(before), len(self._lines)))
            if before[y : y + 1] != self._lines[y : y + 1]
        ]
        if regions:
            self.refresh(*regions)

    def _make_lines(self, width: int, height: int) -> list[Strip]:
        if not self.rows:
            self._say("")
            faint = component_style(self, "side--faint")
            return [Strip([Segment(safe_text(self._empty, 400)[:width], faint)])]
        at, room = self._at, max(1, height - 1)
        margin = 1 if self.rows[max(0, at - 1)].is_head else 0  # the heading above it comes into view too
        self._top = max(min(self._top, at - margin, len(self.rows) - room), at - room + 1, 0)
        shown = self.rows[self._top : self._top + room]
        label_width, widths = self._widths(width)
        columns = self._fitting(width - label_width, widths)
        self._say(self._rest(len(shown), columns))
        lines = [self._head_line(label_width, widths, columns)]
        lines += [self._line(row, label_width, widths, columns, width) for row in shown]
        return lines

    def _rest(self, num_shown: int, columns: range) -> str:
        below = len(self.rows) - self._top - num_shown
        parts = [f"‹ {columns.start} more"] if columns.start else []
        parts += [f"{len(self.heads) - columns.stop} more ›"] if columns.stop < len(self.heads) else []
        parts += [f"↑ {self._top}"] if self._top else []
        parts += [f"↓ {below}"] if below > 0 else []
        return " · ".join(parts)

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self.border_subtitle = Content(safe_text(words, 200))

    def _widths(self, width: int) -> tuple[int, list[int]]:
        """Of the labels and of each column: all they need, or else names and labels are cut, figures never."""
        label = max((cell_len(row.label) + 2 for row in self.rows if not row.is_head), default=_LEAST)
        names = [cell_len(head.text) for head in self.heads]
        cells = [_LEAST] * len(names)
        for row in self.rows:
            for index, cell in enumerate(row.cells[: len(cells)]):
                cells[index] = max(cells[index], cell_len(cell.text))
        wanted = [max(pair) for pair in zip(names, cells, strict=True)]
        figures = [max(min(name, _NAME), cell) for name, cell in zip(names, cells, strict=True)]
        least = [max(min(name, _NAME), min(cell, self._widest)) for name, cell in zip(names, cells, strict=True)]
        short = max(_LEAST, min(label, _LABEL, int(width * _LABEL_SHARE)))
        for shown, widths in ((label, wanted), (label, figures), (short, least)):
            left = width - shown - sum(one + len(_GAP) for one in widths)
            if left >= 0:  # all columns are there: what is left goes to the labels, then to names and cells
                grown = min(label, shown + left)
                return grown, _grown(widths, wanted, left - grown + shown)
        spare = width - sum(one + len(_GAP) for one in least)
        return (spare if self._narrowest <= spare < short else short), least

    def _fitting(self, room: int, widths: list[int]) -> range:
        """The columns from the first wanted on that fit; earlier ones too where all later ones leave room."""
        first = min(self._first, max(0, len(widths) - 1))
        while first > 0 and sum(width + len(_GAP) for width in widths[first - 1 :]) <= room:
            first -= 1
        self._first = first
        stop = first
        while stop < len(widths) and room >= widths[stop] + len(_GAP):
            room -= widths[stop] + len(_GAP)
            stop += 1
        return range(first, max(stop, min(first + 1, len(widths))))

    def _head_line(self, label_width: int, widths: list[int], columns: range) -> Strip:
        style = component_style(self, "side--head")
        parts = [Segment(" " * label_width, style)]
        for index in columns:
            head = self.heads[index]
            text = self._cell(head.text, widths[index])
            parts.append(Segment(_GAP + text, style + head.colour if head.colour else style))
        return Strip(parts)

    def _line(self, row: Row, label_width: int, widths: list[int], columns: range, width: int) -> Strip:
        if row.is_head:
            style = component_style(self, "side--faint")
            return Strip([Segment(_fit(row.label, width), style)])
        is_here = row.key == self.key
        sign = "▸ " if is_here and self.has_focus else "  "
        label = Style.null() if row.colour is None else row.colour
        parts = [Segment(sign + _fit(row.label, label_width - 2), label)]
        for index in columns:
            cell = row.cells[index] if index < len(row.cells) else Cell("")
            style = component_style(self, f"side--{cell.mark}") if cell.mark else Style.null()
            parts.append(Segment(_GAP + self._cell(cell.text, widths[index]), style))
        strip = Strip(parts).adjust_cell_length(width)
        if is_here and self.has_focus:
            strip = strip.apply_style(component_style(self, "side--cursor"))
        return strip

    def _cell(self, text: str, width: int) -> str:
        shown = _cut(text, width)
        rest = " " * (width - cell_len(shown))
        return rest + shown if self._align_right else shown + rest


def _grown(widths: Sequence[int], wanted: Sequence[int], left: int) -> list[int]:
    """The widths with so many cells more, one each in turn, none beyond what it wants."""
    grown = list(widths)
    while left > 0 and (short := [place for place, one in enumerate(grown) if one < wanted[place]]):
        for place in short[:left]:
            grown[place] += 1
        left -= len(short)
    return grown


def _cut(text: str, width: int) -> str:
    shown = safe_text(text, 400)
    return shown if cell_len(shown) <= width else set_cell_size(shown, max(0, width - 1)) + "…"


def _fit(text: str, width: int) -> str:
    shown = _cut(text, width)
    return shown + " " * (width - cell_len(shown))
