"""A pane that shows a chart drawn elsewhere, repaints only the cells that differ, and takes the chart keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.charts.canvas import Row
from tui.charts.differences import stretches, title_difference
from tui.charts.frame import Frame
from tui.charts.picture import ChartPicture
from tui.charts.view import ChartView, between, followed, next_axis, next_smoothing, panned, zoomed
from tui.commands import Command, bindings_of
from tui.safe_text import plain

_FAR = 10
_CORNERS = 3  # cells of the border behind the room that a title has
CHART_COMMANDS = (
    Command("crosshair_left", "left", "Crosshair", "Read all charts further left; the first press sets it down.",
            "crosshair(-1)", show=False, key_display="←"),
    Command("crosshair_right", "right", "Crosshair right", "Read all charts further right.", "crosshair(1)",
            show=False, key_display="→"),
    Command("crosshair_far_left", "shift+left", "Crosshair far left", "Ten times as far.",
            f"crosshair(-{_FAR})", show=False, key_display="⇧←"),
    Command("crosshair_far_right", "shift+right", "Crosshair far right", "Ten times as far.",
            f"crosshair({_FAR})", show=False, key_display="⇧→"),
    Command("pan_left", "left_square_bracket", "Pan left", "Look at what lies to the left.", "pan(-1)",
            show=False, key_display="["),
    Command("pan_right", "right_square_bracket", "Pan right", "Look at what lies to the right.", "pan(1)",
            show=False, key_display="]"),
    Command("zoom_in", "i", "Zoom in", "Half as much of the axis, around the crosshair.", "magnify(True)",
            show=False),
    Command("zoom_out", "o", "Zoom out", "Twice as much of the axis.", "magnify(False)", show=False),
    Command("follow", "f", "Follow", "Follow the newest part, or show the whole.", "follow", show=False),
    Command("axis", "a", "X axis", "Step, epoch, tokens or time, for all charts.", "axis", show=False),
    Command("log_scale", "L", "Log scale", "A logarithmic value axis, or a plain one.", "log_scale", show=False),
    Command("smoothing", "m", "Smoothing", "How much the line is averaged; the raw values stand behind it.",
            "smoothing", show=False),
)  # fmt: skip
"""The keys of a chart with the focus."""


class ChartPane(Widget, can_focus=True):
    """Its `chart` tells which chart it shows. Views are changed by keys and by the mouse, and posted."""

    HELP_TITLE = "Chart"  # its own title holds figures
    HELP = (
        "← and → move the crosshair, which reads every chart at one place; esc takes it away. The thick line "
        "is averaged, what was recorded stands dimmed behind it."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(CHART_COMMANDS)]

    class Resized(Message):
        """The pane has another size, or became visible: it wants a picture that fits."""

    @dataclass
    class ViewChanged(Message):
        """A person looks at the chart in another way. is_shared: not only in this pane."""

        pane: ChartPane
        view: ChartView
        is_shared: bool

    def __init__(self, chart: str, title: str, id: str | None = None) -> None:
        self._changed_border: tuple[int, int, int] | None = None  # line, first cell, number of cells
        super().__init__(name=chart, id=id or chart, classes="pane")
        self.chart = chart
        self._title = title
        self.border_title = plain(title)
        self.view = ChartView()
        self._background: Style | None = None
        self._styles: tuple[Style, ...] = (Style.null(),)
        self._rows: tuple[Row, ...] = ()
        self._framed: tuple[int, Row] | None = None  # a line that Textual has put between the pane's borders
        self._frame: Frame | None = None
        self._grabbed: tuple[int, ChartView, Frame] | None = None

    @property
    def text(self) -> str:
        """The characters that are shown."""
        return "\n".join(row.strip.text for row in self._rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown, line by line."""
        return self._rows

    def show(self, picture: ChartPicture) -> None:
        """Take a new picture."""
        before, self._rows, self._frame = self._rows, picture.rows, picture.frame
        had_styles, self._styles = self._styles, picture.styles
        is_resized = len(before) != len(self._rows) or (
            before and len(before[0].styles) != len(self._rows[0].styles)
        )
        if is_resized or had_styles != self._styles:  # the same codes stand for other styles in another theme
            self.refresh()
            return
        changed = stretches([old.is_like(new) for old, new in zip(before, self._rows, strict=True)])
        if changed:
            self.refresh(*(Region(0, start, self.size.width, end - start) for start, end in changed))

    def set_title(self, title: str) -> None:
        """Change the title, when it is another one; only its line is repainted."""
        if title != self._title:
            first, size = title_difference(self._title, title)
            width = self.outer_size.width
            size = width if first + size > width - _CORNERS else size  # the title was or will be cut off
            self._changed_border = (0, first, min(size, width - first))
            self._title = title
            self.border_title = plain(title)
            self._changed_border = None

    def set_note(self, note: str) -> None:
        """Words at the bottom: what of the view is not as usual."""
        if self.border_subtitle != note:
            self._changed_border = (self.outer_size.height - 1, 0, self.outer_size.width)
            self.border_subtitle = plain(note)
            self._changed_border = None

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Repaint; a new title alone needs the cells that differ, not 10 kB of chart."""
        if self._changed_border is not None:
            y, first, size = self._changed_border
            left, above = self.content_offset
            regions = (Region(first - left, y - above, size, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines that are to be painted; what they stand on is found once, and most often drawn already."""
        style = self.rich_style
        self._background = None if style == self._styles[0] else style
        self._frame_lines(crop)
        return super().render_lines(crop)

    def _frame_lines(self, crop: Region) -> None:
        """Put new lines between the pane's borders as Textual put one of them, which takes it ten times as long.

        They go where it keeps finished lines; whatever changes the look of the pane empties that.
        """
        finished, dirty = self._styles_cache._cache, self._styles_cache._dirty_lines
        above = self.content_offset.y
        example = finished.get(self._framed[0] + above) if self._framed is not None else None
        if self._framed is None or example is None or self._background is not None:
            return
        middle = list(example)[1:-1]
        if middle != list(self._framed[1].strip) or example.cell_length != self.outer_size.width:
            return  # Textual does more to this pane than to put borders around it
        sides = example.crop(0, 1), example.crop(example.cell_length - 1)
        for y in range(max(crop.y, above), min(crop.bottom, above + len(self._rows))):
            row = self._rows[y - above]
            if y in dirty and row.strip.cell_length == self.size.width:
                finished[y] = Strip.join((sides[0], row.strip, sides[1]))
                dirty.discard(y)
                self._framed = (y - above, row)

    def render_line(self, y: int) -> Strip:
        """One line of the picture, over the pane's background."""
        width, style = self.size.width, self._background
        if y >= len(self._rows):
            return Strip.blank(width, style or self._styles[0])
        self._framed = (y, self._rows[y])
        strip = self._rows[y].strip.adjust_cell_length(width, self._styles[0])
        return strip if style is None else strip.apply_style(style)

    def notify_style_update(self) -> None:
        """Ask for a picture in the new colours, which may come after the theme was said to have changed."""
        super().notify_style_update()
        if self._rows and self._styles[0] != self.rich_style:
            self.post_message(self.Resized())

    def on_resize(self, event: events.Resize) -> None:
        """Ask for a picture that fits."""
        self.post_message(self.Resized())

    def action_crosshair(self, by: int) -> None:
        """Move the crosshair by cells; the first time, it appears at the newest point."""
        frame = self._frame
        if frame is None:
            return
        low, high = frame.window
        cell = (high - low) / frame.plot_width
        if frame.x == "step":
            cell = max(1.0, cell)
        cursor = self.view.cursor
        if cursor is None or not low <= cursor <= high:
            cursor = min(high, max(low, frame.newest))
        else:
            cursor = min(high, max(low, cursor + by * cell))
        self._put_cursor(cursor, frame)

    def _put_cursor(self, cursor: float, frame: Frame) -> None:
        cursor = min(cursor, max(frame.newest, frame.window[0]))
        self._change(replace(self.view, cursor=float(round(cursor)) if frame.x == "step" else cursor))

    def action_pan(self, by: int) -> None:
        """Look at what lies to the left or to the right."""
        if self._frame is not None:
            self._change(panned(self.view, self._window(self._frame), self._frame.whole, by))

    def action_magnify(self, inward: bool) -> None:
        """Half as much of the axis, or twice as much."""
        if self._frame is not None:
            self._change(zoomed(self.view, self._window(self._frame), self._frame.whole, inward))

    def action_follow(self) -> None:
        """Follow the newest part, or show the whole."""
        if self._frame is not None:
            self._change(followed(self.view, self._window(self._frame), self._frame.whole))

    def action_axis(self) -> None:
        """The next of the x axes."""
        self._change(next_axis(self.view))

    def action_log_scale(self) -> None:
        """A logarithmic value axis, or a plain one."""
        self._change(replace(self.view, log_y=not self.view.log_y), is_shared=False)

    def action_smoothing(self) -> None:
        """The next amount of smoothing."""
        self._change(next_smoothing(self.view), is_shared=False)

    def drop_cursor(self) -> bool:
        """Take the crosshair away; False when there is none."""
        if self.view.cursor is None:
            return False
        self._change(replace(self.view, cursor=None))
        return True

    def _window(self, frame: Frame) -> tuple[float, float]:
        """What is visible once everything that was asked for is drawn."""
        return self.view.window_over(*frame.whole, frame.newest) if frame.x == self.view.x else frame.window

    def _change(self, view: ChartView, is_shared: bool = True) -> None:
        if view != self.view:
            self.view = view
            self.post_message(self.ViewChanged(self, view, is_shared))

    def _place_at(self, x: int, frame: Frame) -> float:
        low, high = frame.window
        return low + (x - frame.left + 0.5) / frame.plot_width * (high - low)

    def on_click(self, event: events.Click) -> None:
        """The crosshair goes where the mouse pointed."""
        offset = event.get_content_offset(self)
        frame = self._frame
        if offset is not None and frame is not None and self._grabbed is None and offset.x >= frame.left:
            self._put_cursor(self._place_at(offset.x, frame), frame)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel zooms around the pointer."""
        self._wheel(event, True)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """And out again."""
        self._wheel(event, False)

    def _wheel(self, event: events.MouseEvent, inward: bool) -> None:
        offset, frame = event.get_content_offset(self), self._frame
        if offset is None or frame is None:
            return
        event.stop()
        around = replace(self.view, cursor=self._place_at(max(offset.x, frame.left), frame))
        view = zoomed(around, self._window(frame), frame.whole, inward)
        self._change(replace(view, cursor=self.view.cursor))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to drag the window of the axis."""
        if self._frame is not None and not self.view.is_whole:
            self._grabbed = (event.screen_x, self.view, self._frame)
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag it."""
        if self._grabbed is None:
            return
        start, view, frame = self._grabbed
        low, high = view.window_over(*frame.whole, frame.newest)
        move = (start - event.screen_x) / frame.plot_width * (high - low)
        move = max(frame.whole[0] - low, min(frame.whole[1] - high, move))
        self._change(between(replace(self.view, span=None), low + move, high + move, frame.whole))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let it go; a click that moved nothing sets the crosshair."""
        if self._grabbed is not None:
            moved = self._grabbed[0] != event.screen_x
            self.release_mouse()
            if not moved:
                self._grabbed = None
            else:
                self.call_later(self._let_go)

    def _let_go(self) -> None:
        self._grabbed = None
