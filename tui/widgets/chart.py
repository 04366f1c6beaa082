"""A pane that shows a chart drawn elsewhere, and repaints only the lines that differ."""

from __future__ import annotations

from typing import Self

from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.safe_text import plain
from tui.widgets.chart_picture import ChartPicture


class ChartPane(Widget, can_focus=True):
    """Its name tells which chart it shows; it asks for a new picture when its size changes."""

    class Resized(Message):
        """The pane has another size, or became visible."""

    def __init__(self, name: str, title: str) -> None:
        self._only_title = False
        super().__init__(name=name, id=name, classes="pane")
        self.chart = name
        self._title = title
        self.border_title = title
        self._lines: tuple[Strip, ...] = ()

    def show(self, picture: ChartPicture) -> None:
        """Take a new picture."""
        before, self._lines = self._lines, picture.lines
        if len(before) != len(self._lines):
            self.refresh()
            return
        pairs = enumerate(zip(before, self._lines, strict=True))
        changed = [Region(0, y, self.size.width, 1) for y, (old, new) in pairs if old != new]
        if changed:
            self.refresh(*changed)

    def set_title(self, title: str) -> None:
        """Change the title, when it is another one; only its line is repainted."""
        if title != self._title:
            self._title = title
            self._only_title = True
            self.border_title = plain(title)
            self._only_title = False

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Repaint; a new title alone needs the line that it is in, not 10 kB of chart."""
        if self._only_title:
            offset = self.content_offset
            regions = (Region(-offset.x, -offset.y, self.outer_size.width, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_line(self, y: int) -> Strip:
        """One line of the picture, over the pane's background."""
        width, style = self.size.width, self.rich_style
        if y >= len(self._lines):
            return Strip.blank(width, style)
        return self._lines[y].adjust_cell_length(width).apply_style(style)

    def on_resize(self, event: events.Resize) -> None:
        """Ask for a picture that fits."""
        self.post_message(self.Resized())
