"""Draws a chart as finished lines of cells, in a millisecond or two whatever the number of points.

Points are reduced to extremes and means for each column of dots by the pyramid of their series; it runs in the
thread that owns the series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip

from tui.ascii_signs import in_ascii
from tui.charts.canvas import DOTS_ACROSS, Canvas, Row, finished, laid_over, tone
from tui.charts.curves import Curve, curve_of, dots_of, parts_of
from tui.charts.frame import Frame, bottom_rows, value_ticks, values_of, whole_axis, window_of
from tui.charts.spec import ChartSpec as ChartSpec
from tui.charts.spec import Line as Line
from tui.charts.spec import Mark as Mark
from tui.charts.spec import Palette as Palette
from tui.charts.view import ChartView, Window, XAxis
from tui.safe_text import safe_text

LEAST_WIDTH, LEAST_HEIGHT = 12, 4
_FEW_MARKERS = 24
_LABEL_WIDTH = 6
_TEXT_WIDTH = 24
_MARK_ROWS = 3
_LEAST_FOR_WORDS = 4  # rows of the plot for each row of them
_SIGN_EVERY = 24  # cells


@dataclass(frozen=True)
class ChartPicture:
    """Finished lines, each `width` cells wide. styles: the first is that of nothing.

    frame: None where only words stand.
    """

    width: int
    height: int
    rows: tuple[Row, ...]
    styles: tuple[Style, ...]
    frame: Frame | None = None

    @cached_property
    def lines(self) -> tuple[Strip, ...]:
        """The rows as Textual shows them."""
        return tuple(row.strip for row in self.rows)

    @property
    def text(self) -> str:
        """The characters alone."""
        return "\n".join(strip.text for strip in self.lines)


CURSOR, HAIR = 3, 4
"""The numbers of the styles of what the crosshair stands on, and of its line where there is nothing."""


class _Styles:
    """The numbers of a palette's styles on the canvas."""

    def __init__(self, palette: Palette) -> None:
        lines, faint, base = palette.lines, palette.faint, palette.base
        accent = palette.cursor.bgcolor
        hair = Style(color=accent) if accent is not None else palette.axis
        styles = (Style.null(), palette.guide, palette.axis, palette.cursor, hair, *lines, *faint)
        self.table = tuple(base + style for style in styles)
        self.guide, self.axis = 1, 2
        self._num_lines, self._num_faint = len(lines), len(faint)

    def line(self, colour: int) -> int:
        return HAIR + 1 + colour % self._num_lines

    def faint(self, colour: int) -> int:
        return HAIR + 1 + self._num_lines + colour % self._num_faint


def draw(spec: ChartSpec, view: ChartView, width: int, height: int, palette: Palette) -> ChartPicture:
    """Draw the chart, without the crosshair. Figures that are not finite are left as gaps."""
    whole = whole_axis(spec, view.x)
    if whole is None or width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return words_alone(_why_empty(spec, view) if whole is None else "…", width, height, palette)
    window = window_of(view, *whole)
    num_columns = max(8, (width - _LABEL_WIDTH) * DOTS_ACROSS)
    lines = [line for line in spec.lines if line.bounds(view.x)]
    curves = [_times(curve_of(line, view, window, num_columns), spec.factor) for line in lines]
    if view.log_y and not any(value > 0 for curve in curves for value in curve.average):
        return words_alone("nothing above zero for a log scale", width, height, palette)
    best = _best_in(spec, lines[0], view.x, window)
    values = values_of(spec, curves, view.log_y, best[1] if best else None)
    places, labels = value_ticks(values, view.log_y, height)
    left = min(width - 4, max(len(labels[0]), len(view.x) if width >= 30 else 0) + 1)
    frame = Frame(width, height, left, view.x, window, *whole, values, view.log_y)
    chart = _Chart(spec, frame, _Styles(palette), palette.only_ascii)
    for curve in reversed(curves):
        chart.curve(curve)
    for curve in curves:
        chart.signs_on(curve)
    if curves:
        chart.guides(curves[0])
        chart.marks(curves[0].line)
        chart.best(best)
    if spec.legend:
        chart.legend(lines)
    return chart.picture(places, labels)


def words_alone(text: str, width: int, height: int, palette: Palette) -> ChartPicture:
    """A picture of nothing but words."""
    table = (palette.base, palette.base + palette.axis)
    above = max(0, (height - 1) // 2)
    text = safe_text(text, max(1, width))
    characters, styles = " " * width, "\0" * width
    start = max(0, (width - cell_len(text)) // 2)
    words = finished(*laid_over(characters, styles, start, text, 1), table)
    rows = [words if row == above else finished(characters, styles, table) for row in range(height)]
    return ChartPicture(width, height, tuple(rows), table)


def _why_empty(spec: ChartSpec, view: ChartView) -> str:
    if all(line.bounds("step") is None for line in spec.lines):
        return spec.empty
    return "steps of an epoch are not known" if view.x == "epoch" else f"no {view.x} were recorded"


def _best_in(spec: ChartSpec, line: Line, x: XAxis, window: Window) -> tuple[float, float] | None:
    """Where the best checkpoint is on the axis, and its value; None when it is not in the window."""
    if spec.best is None:
        return None
    place = line.place_of_step(spec.best[0], x)
    is_seen = place is not None and window[0] <= place <= window[1]
    return (place, spec.best[1] * spec.factor) if is_seen and place is not None else None


def _times(curve: Curve, factor: float) -> Curve:
    if factor == 1.0 or curve.line.has_own_scale:
        return curve
    buckets = tuple(
        type(bucket)(
            bucket.step, bucket.minimum * factor, bucket.maximum * factor, bucket.mean * factor, bucket.count,
            bucket.num_gaps,
        )
        for bucket in curve.buckets
    )  # fmt: skip
    return replace(curve, buckets=buckets, average=tuple(value * factor for value in curve.average))


class _Chart:
    """A canvas with a frame; everything is put on it in the order in which it covers what is there."""

    def __init__(self, spec: ChartSpec, frame: Frame, styles: _Styles, only_ascii: bool) -> None:
        self._spec, self._frame, self._styles, self._only_ascii = spec, frame, styles, only_ascii
        self._canvas = Canvas(frame.plot_width, frame.plot_height, only_ascii)
        self._taken: list[tuple[int, int, int]] = []  # row, first cell and the one behind the last, of words

    def curve(self, curve: Curve) -> None:
        """What was recorded, dimmed, and the line over it; few points with markers are markers alone."""
        line, buckets, frame = curve.line, curve.buckets, self._frame
        if line.has_own_scale:
            self._overlay(curve)
            return
        num = self._canvas.num_columns
        if line.markers and len(buckets) <= _FEW_MARKERS:
            return
        if curve.is_dense or (line.band and curve.decay > 0):
            lows, highs = [b.minimum for b in buckets], [b.maximum for b in buckets]
            area = dots_of(parts_of(curve.places, lows, highs, frame.column_at, frame.dot_at), num)
            if curve.is_raw:
                self._canvas.add(area, self._styles.line(line.colour))
                return
            if line.band or curve.decay == 0:
                style = self._styles.faint(line.colour)
                self._canvas.add(tone(area) if curve.is_dense else area, style, covers=False)
        parts = parts_of(curve.places, curve.average, curve.average, frame.column_at, frame.dot_at)
        self._canvas.add(dots_of(parts, num, line.style), self._styles.line(line.colour))

    def _overlay(self, curve: Curve) -> None:
        """A line that fills the height by itself, dotted and faint."""
        top = max((value for value in curve.average if math.isfinite(value)), default=0.0)
        if top <= 0:
            return
        most = self._canvas.num_dots - 1
        parts = parts_of(
            curve.places, curve.average, curve.average, self._frame.column_at,
            lambda value: round(min(1.0, max(0.0, value / top)) * most),
        )  # fmt: skip
        style = self._styles.faint(curve.line.colour)
        self._canvas.add(dots_of(parts, self._canvas.num_columns, "dotted"), style, covers=False)

    def signs_on(self, curve: Curve) -> None:
        """Markers of few points, and the sign by which a line is known."""
        line, frame = curve.line, self._frame
        points = [
            (frame.cell_at(place), value)
            for place, value in zip(curve.places, curve.average, strict=True)
            if math.isfinite(value)
        ]
        style = self._styles.line(line.colour)
        if line.markers and len(curve.buckets) <= _FEW_MARKERS:
            for cell, value in points:
                if frame.shows(value):
                    self._canvas.text(frame.row_at(value), cell, line.markers, style)
        elif line.sign:
            last = -_SIGN_EVERY
            for index, (cell, value) in enumerate(points):
                if cell - last >= _SIGN_EVERY // 2 or index == len(points) - 1:
                    self._canvas.text(frame.row_at(value), cell, safe_text(line.sign, 1), style)
                    last = cell + _SIGN_EVERY // 2

    def guides(self, curve: Curve) -> None:
        """Horizontal lines with their names at the right end, or at the left when the curve is nearer there."""
        frame = self._frame
        line = [value for value in curve.average if math.isfinite(value)]
        reaches = bool(curve.places) and frame.cell_at(curve.places[-1]) > frame.plot_width - _TEXT_WIDTH
        for label, level in self._spec.guides:
            level *= self._spec.factor
            row = frame.row_at(level) if frame.shows(level) else -1
            if row < 0:
                continue
            self._canvas.behind(row, "┈", self._styles.guide)
            text = safe_text(f"{label} {level:.2f}", _TEXT_WIDTH)
            is_left = reaches and bool(line) and abs(line[-1] - level) < abs(line[0] - level)
            start = 2 if is_left else frame.plot_width - len(text)
            self._words(row, start, text, self._styles.guide)

    def marks(self, line: Line) -> None:
        """A ▼ with its words at the top for each mark, newest first; a ▲ on the axis where there is no room."""
        frame = self._frame
        rows = range(min(_MARK_ROWS, frame.plot_height // _LEAST_FOR_WORDS))
        for mark in reversed(self._spec.marks):
            place = line.place_of_step(mark.step, frame.x)
            if place is None or not frame.window[0] <= place <= frame.window[1]:
                continue
            cell, words = frame.cell_at(place), safe_text(mark.words, 60)
            is_left = cell + cell_len(words) + 2 <= frame.plot_width
            text = f"▼ {words}" if is_left else f"{words} ▼"
            start = cell if is_left else cell - cell_len(words) - 1
            for row in rows:
                if start >= 0 and self._is_free(row, start, start + cell_len(text)):
                    self._words(row, start, text, self._styles.axis)
                    break
            else:
                self._canvas.text(frame.plot_height - 1, cell, "▲", self._styles.axis)

    def best(self, best: tuple[float, float] | None) -> None:
        """A ★ where the best checkpoint is."""
        frame = self._frame
        if best is not None and frame.shows(best[1]):
            self._canvas.text(frame.row_at(best[1]), frame.cell_at(best[0]), "★", self._styles.line(1))

    def legend(self, lines: Sequence[Line]) -> None:
        """Which line is which, at the top right."""
        room = max(8, self._frame.plot_width // 2)
        texts = [safe_text(f"{line.sign or '━'} {line.label}", room) for line in lines[: self._frame.plot_height]]
        width = max(map(cell_len, texts), default=0)
        for row, (line, text) in enumerate(zip(lines, texts, strict=False)):
            padded = f" {text}{' ' * (width - cell_len(text))}"
            style = self._styles.line(line.colour)
            self._canvas.text(row, self._frame.plot_width - width - 1, padded, style)

    def picture(self, places: Sequence[float], labels: Sequence[str]) -> ChartPicture:
        frame, axis = self._frame, self._styles.axis
        at = {
            frame.row_at(place): label for place, label in zip(places, labels, strict=True) if frame.shows(place)
        }
        rows = []
        for index, (characters, styles) in enumerate(self._canvas.rows()):
            label = at.get(index)
            before = f"{label:>{frame.left - 1}}┤" if label is not None else " " * (frame.left - 1) + "│"
            rows.append((before[-frame.left :] + characters, chr(axis) * frame.left + styles))
        rows += bottom_rows(frame, axis)
        if self._only_ascii:
            rows = [(in_ascii(characters), styles) for characters, styles in rows]
        table = self._styles.table
        done = tuple(finished(characters, styles, table) for characters, styles in rows)
        return ChartPicture(frame.width, frame.height, done, table, frame)

    def _words(self, row: int, start: int, text: str, style: int) -> None:
        self._canvas.text(row, start, text, style)
        self._taken.append((row, start - 1, start + cell_len(text) + 1))

    def _is_free(self, row: int, start: int, end: int) -> bool:
        return all(row != other[0] or end <= other[1] or other[2] <= start for other in self._taken)
