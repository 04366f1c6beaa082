"""Draws a chart as finished lines of cells, from series reduced to its width; runs in the feed thread.

plotext draws it: a loss chart of 100×30 cells costs about 20 ms (bench_charts).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from textual_plotext import Plot

from runs.series import Bucket, Series
from tui.axes import short_number, step_range, tick_labels, ticks, value_range
from tui.safe_text import safe_text

Rgb = tuple[int, int, int]
_MOST_BUCKETS = 160
_FEW_MARKS = 24
_SEGMENTS = 16
_SMOOTHINGS = ((4000, 0.98), (400, 0.9), (100, 0.8), (40, 0.6), (0, 0.0))
_TEXT_WIDTH = 24
_AXIS_WIDTH, _AXIS_HEIGHT = 6, 2
_MARK_ROWS = 3
_HEADROOM = 0.1


@dataclass(frozen=True)
class Palette:
    """The colours of a chart; none of them carries a meaning that no word or sign has beside it."""

    line: Rgb
    faint: Rgb
    second: Rgb
    guide: Rgb
    axis: Rgb


@dataclass(frozen=True)
class Mark:
    """A step at which somebody did something to the run, and what, in a word or two."""

    step: int
    words: str


@dataclass(frozen=True)
class ChartSpec:
    """What a chart shows. main: the metric with its band and its smoothed line; second: one with marks.

    guides: label and height of horizontal lines, drawn when they are in reach. marks: what somebody did to the
    run, by step, oldest first. total_steps: 0 if unknown.
    empty: what stands there while there are no figures.
    """

    main: str
    second: str = ""
    smoothed: bool = False
    guides: tuple[tuple[str, float], ...] = ()
    marks: tuple[Mark, ...] = ()
    best: tuple[int, float] | None = None
    total_steps: int = 0
    from_zero: bool = False
    empty: str = "no figures yet"


@dataclass(frozen=True)
class ChartPicture:
    """Finished lines, each `width` cells wide."""

    width: int
    height: int
    lines: tuple[Strip, ...]


def smoothing_for(num_points: int) -> float:
    """How much of the average each new value keeps: more where there are more values, so it never lags far."""
    return next(decay for least, decay in _SMOOTHINGS if num_points >= least)


def smooth(buckets: tuple[Bucket, ...], decay: float) -> list[float]:
    """Exponential moving average with that decay for each recorded value, taken over bucket means."""
    smoothed: list[float] = []
    total = weight = 0.0
    for bucket in buckets:
        if bucket.count:
            kept = decay**bucket.count
            total = kept * total + (1 - kept) * bucket.mean
            weight = kept * weight + (1 - kept)
        smoothed.append(total / weight if weight else math.nan)
    return smoothed


def draw(spec: ChartSpec, series: Mapping[str, Series], width: int, height: int, palette: Palette) -> ChartPicture:
    """Draw the chart. Figures that are not finite are left as gaps."""
    main, second = series.get(spec.main), series.get(spec.second)
    ranges = [bounds for one in (main, second) if one is not None and (bounds := one.bounds())]
    if not ranges or width < 12 or height < 4:
        return _words(spec.empty if not ranges else "…", width, height, palette)
    low, high = step_range(min(r[0] for r in ranges), max(r[1] for r in ranges), spec.total_steps)
    columns = max(8, min(_MOST_BUCKETS, width - 6))
    main_buckets = main.reduce(low, high, columns) if main is not None else ()
    second_buckets = second.reduce(low, high, columns) if second is not None else ()
    decay = smoothing_for(len(main) if main is not None else 0)
    line = smooth(main_buckets, decay) if spec.smoothed else [bucket.mean for bucket in main_buckets]
    bottom, top = _value_range(spec, main_buckets, second_buckets, line)
    chart = _Chart(width, height, (low, high), (bottom, top), palette)
    guides = [(label, level) for label, level in spec.guides if bottom < level < top]
    for _, level in guides:
        chart.guide(level)
    if any(bucket.count > 1 or spec.smoothed for bucket in main_buckets):
        chart.band(main_buckets)
    if len(second_buckets) > _FEW_MARKS:
        chart.line([b.step for b in second_buckets], [b.mean for b in second_buckets], palette.second)
    chart.line([b.step for b in main_buckets], line, palette.line)
    if len(second_buckets) <= _FEW_MARKS:
        chart.marks([(b.step, b.mean) for b in second_buckets if b.count], "◆", palette.second)
    for label, level in guides:
        chart.guide_label(f"{label} {level:.2f}", level, main_buckets[-1:], [y for y in line if math.isfinite(y)])
    chart.signs(spec.marks)
    if spec.best is not None:
        chart.marks([spec.best], "★", palette.second)
    return chart.picture()


def _value_range(
    spec: ChartSpec, main: tuple[Bucket, ...], second: tuple[Bucket, ...], line: list[float]
) -> tuple[float, float]:
    lowest = [bucket.minimum for bucket in main if bucket.count]
    must_show = line[-1:] + ([spec.best[1]] if spec.best else [])
    if lowest:
        must_show.append(sorted(lowest)[len(lowest) // 50])
    low, high = value_range(line + [bucket.mean for bucket in second], must_show)
    if spec.from_zero:
        low, high = value_range([], [0.0, low, high + _HEADROOM * abs(high)])
    span = high - low
    above = [level for _, level in spec.guides if high <= level <= high + 0.5 * span]
    below = [level for _, level in spec.guides if low - 0.5 * span <= level <= low]
    near = (*above[:1], *below[:1])
    return value_range([], [low, high, *near]) if near else (low, high)


class _Chart:
    """A plotext figure of its own; plotext's global one grows without end (plotext #216)."""

    def __init__(
        self, width: int, height: int, steps: tuple[float, float], values: tuple[float, float], palette: Palette
    ) -> None:
        self._size = (width, height)
        self._steps, self._values, self._palette = steps, values, palette
        self._guide_labels: list[tuple[float, tuple[float, float]]] = []  # height, and from which step to which
        self._plot = Plot()
        self._plot._limit_size(False, False)  # else the real terminal's size is the limit, 80×24 without one
        self._plot.plotsize(width, height)
        self._plot.canvas_color("default")
        self._plot.axes_color("default")
        self._plot.ticks_color(palette.axis)
        self._plot.xaxes(True, False)
        self._plot.yaxes(True, False)
        self._plot.xlim(*steps)
        self._plot.ylim(*values)
        at = ticks(*steps, max(2, min(6, width // 14)), of_counts=True)
        self._plot.xticks(list(at), [short_number(place) for place in at])
        at = ticks(*values, max(3, min(7, height // 3)))
        self._plot.yticks(list(at), list(tick_labels(at)))

    def guide(self, level: float) -> None:
        low, high = self._steps
        columns = self._size[0]
        xs = [low + (high - low) * column / columns for column in range(columns + 1)]
        self._plot.scatter(xs, [level] * len(xs), marker="┈", color=self._palette.guide)

    def guide_label(self, text: str, level: float, newest: tuple[Bucket, ...], line: list[float]) -> None:
        """Name a guide at its right end, or at its left end when the curve is nearer on the right."""
        low, high = self._steps
        length = (high - low) * (len(text) + 4) / self._size[0]
        reaches = bool(newest) and newest[0].step > high - (high - low) * _TEXT_WIDTH / self._size[0]
        if reaches and line and abs(line[-1] - level) < abs(line[0] - level):
            self.words(text, low + (high - low) * 3 / self._size[0], level, self._palette.guide, "left")
            self._guide_labels.append((level, (low, low + length)))
        else:
            self._guide_labels.append((level, (high - length, high)))
            self.words(text, high, level, self._palette.guide, "right")

    def band(self, buckets: tuple[Bucket, ...]) -> None:
        """What was recorded: single values as dots, many as the lines of their extremes.

        Joining the extremes up and down instead would cost 150 ms for a noisy loss, ten times as much.
        """
        finite = [bucket for bucket in buckets if bucket.count]
        xs = [bucket.step for bucket in finite]
        if all(bucket.count == 1 for bucket in finite):
            self.marks([(bucket.step, bucket.mean) for bucket in finite], "braille", self._palette.faint)
            return
        self._draw_line(xs, [bucket.minimum for bucket in finite], self._palette.faint)
        self._draw_line(xs, [bucket.maximum for bucket in finite], self._palette.faint)

    def line(self, xs: list[float], ys: list[float], colour: Rgb) -> None:
        """A line that is broken where a value is missing; past some breaks it runs through them."""
        parts: list[tuple[list[float], list[float]]] = [([], [])]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                parts[-1][0].append(x)
                parts[-1][1].append(y)
            elif parts[-1][0] and len(parts) < _SEGMENTS:
                parts.append(([], []))
        for part in parts:
            self._draw_line(*part, colour)

    def marks(self, points: list[tuple[float, float]], sign: str, colour: Rgb) -> None:
        low, high = self._values
        inside = [(x, y) for x, y in points if low <= y <= high]
        if inside:
            self._plot.scatter([x for x, _ in inside], [y for _, y in inside], marker=sign, color=colour)

    def words(self, text: str, x: float, y: float, colour: Rgb, alignment: str) -> None:
        room = self._steps[1] - (self._steps[1] - self._steps[0]) * _TEXT_WIDTH / self._size[0]
        self._plot.text(safe_text(text), x, y, color=colour, alignment="right" if x > room else alignment)

    def signs(self, marks: tuple[Mark, ...]) -> None:
        """A ▼ with its words at the top for each mark, newest first; a ▲ on the axis where there is no room."""
        low, high = self._steps
        cell = (high - low) / max(1, self._size[0] - _AXIS_WIDTH)
        row = (self._values[1] - self._values[0]) / max(1, self._size[1] - _AXIS_HEIGHT - 1)
        depths = range(min(_MARK_ROWS, self._size[1] // 4))
        heights = [self._values[1] - depth * row for depth in depths]
        taken = [[span for level, span in self._guide_labels if abs(level - at) < row] for at in heights]
        shown = [mark for mark in marks if low <= mark.step <= high]
        for mark in reversed(shown):
            width = (len(mark.words) + 3) * cell
            is_left = mark.step + width <= high
            span = (mark.step - cell, mark.step + width) if is_left else (mark.step - width, mark.step + cell)
            for depth, others in enumerate(taken):
                if all(span[1] <= other[0] or other[1] <= span[0] for other in others):
                    others.append(span)
                    text = f"▼ {mark.words}" if is_left else f"{mark.words} ▼"
                    at = self._values[1] - depth * row
                    side = "left" if is_left else "right"
                    self._plot.text(safe_text(text), mark.step, at, color=self._palette.axis, alignment=side)
                    break
            else:
                self.marks([(mark.step, self._values[0])], "▲", self._palette.axis)

    def picture(self) -> ChartPicture:
        return _finish(Text.from_ansi(self._plot.build()), *self._size)

    def _draw_line(self, xs: list[float], ys: list[float], colour: Rgb) -> None:
        low, high = self._values
        inside = [min(max(y, low), high) for y in ys]
        if len(xs) == 1:
            self._plot.scatter(xs, inside, marker="braille", color=colour)
        elif xs:
            self._plot.plot(xs, inside, marker="braille", color=colour)


_console = Console(color_system="truecolor", force_terminal=True, width=400, legacy_windows=False)


def _words(text: str, width: int, height: int, palette: Palette) -> ChartPicture:
    above = max(0, (height - 1) // 2)
    style = f"rgb({palette.axis[0]},{palette.axis[1]},{palette.axis[2]})"
    return _finish(Text("\n" * above + text.center(width), style=style), width, height)


def _finish(text: Text, width: int, height: int) -> ChartPicture:
    text.no_wrap = True
    lines: list[Strip] = []
    for line in Segment.split_lines(text.render(_console)):
        lines.append(Strip(line).simplify().adjust_cell_length(width))
    lines += [Strip.blank(width)] * (height - len(lines))
    return ChartPicture(width, height, tuple(lines[:height]))
