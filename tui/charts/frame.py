"""Where a chart stands in its pane: the ranges of its axes, its ticks, and where a figure comes to lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tui.axes import (
    log_ticks,
    newest_range,
    short_duration,
    short_number,
    step_range,
    tick_labels,
    ticks,
    time_ticks,
    value_range,
)
from tui.charts.canvas import DOTS_ACROSS, DOTS_DOWN, laid_over
from tui.charts.curves import Curve
from tui.charts.spec import ChartSpec
from tui.charts.view import ChartView, Window, XAxis

_HEADROOM = 0.1
_LOG_LIMIT = 300.0
_LARGEST = 1e300
_X_WORDS: dict[XAxis, str] = {"step": "step", "epoch": "epoch", "tokens": "tokens", "time": "time"}


@dataclass(frozen=True)
class Frame:
    """left: cells before the plot. window: of the x axis; values: of the y axis, or of its logarithm.

    whole: all there is of the x axis; newest: the last point on it.
    """

    width: int
    height: int
    left: int
    x: XAxis
    window: Window
    whole: Window
    newest: float
    values: Window
    is_log: bool

    @property
    def plot_width(self) -> int:
        return self.width - self.left

    @property
    def plot_height(self) -> int:
        return self.height - 2

    def column_at(self, place: float) -> int:
        """The column of dots of a place on the x axis."""
        low, high = self.window
        most = self.plot_width * DOTS_ACROSS - 1
        return min(most, max(0, int((place - low) / (high - low) * (most + 1))))

    def cell_at(self, place: float) -> int:
        """The cell of a place on the x axis, within the plot."""
        return self.column_at(place) // DOTS_ACROSS

    def dot_at(self, value: float) -> int:
        """The dot of a value, from the bottom; what lies outside is at the edge."""
        low, high = self.values
        if self.is_log:
            value = math.log10(value) if value > 0 else -math.inf
        most = self.plot_height * DOTS_DOWN - 1
        return round(min(1.0, max(0.0, (value - low) / (high - low))) * most)

    def row_at(self, value: float) -> int:
        """The row of cells of a value, from the top."""
        return self.plot_height - 1 - self.dot_at(value) // DOTS_DOWN

    def shows(self, value: float) -> bool:
        """A value is within the axis."""
        if self.is_log:
            return value > 0 and self.values[0] <= math.log10(value) <= self.values[1]
        return self.values[0] <= value <= self.values[1]


def whole_axis(spec: ChartSpec, x: XAxis) -> tuple[Window, float] | None:
    """All of the x axis, and the newest place on it; None when no line stands on that axis."""
    ranges = [bounds for line in spec.lines if (bounds := line.bounds(x))]
    if not ranges:
        return None
    first, newest = min(low for low, _ in ranges), max(high for _, high in ranges)
    if x in ("tokens", "time"):
        return newest_range(first, newest, first if spec.first_step and x == "tokens" else 0.0), newest
    divisor = next(line.divisor(x) for line in spec.lines if line.bounds(x))
    return step_range(first, newest, spec.total_steps / divisor, spec.first_step / divisor), newest


def window_of(view: ChartView, whole: Window, newest: float) -> Window:
    """What is visible; never empty."""
    low, high = view.window_over(*whole, newest)
    least = max(abs(low), abs(high), 1e-9) * 1e-9
    return (low, high) if high - low > least else (low - least, low + least)


def values_of(spec: ChartSpec, curves: Sequence[Curve], is_log: bool, best: float | None) -> Window:
    """The range of the y axis, or of its logarithm, that few early values do not stretch. best: if it is seen."""
    body: list[float] = []
    must_show = [best] if best is not None else []
    for curve in curves:
        if curve.line.has_own_scale:
            continue
        body += curve.average
        if curve.is_raw:
            body += [bucket.maximum for bucket in curve.buckets]
        must_show += [value for value in curve.average[-1:] if math.isfinite(value)]
        lowest = sorted(bucket.minimum for bucket in curve.buckets if bucket.count)
        must_show += lowest[len(lowest) // 50 : len(lowest) // 50 + 1]
    guides = sorted(level * spec.factor for _, level in spec.guides)
    if is_log:
        body, must_show, guides = _logarithms(body), _logarithms(must_show), _logarithms(guides)
    body, must_show = _within_reach(body), _within_reach(must_show)
    low, high = value_range(body, must_show)
    if spec.from_zero and not is_log:
        low, high = value_range([], [0.0, low, high + _HEADROOM * abs(high)])
    span = high - low
    above = [level for level in guides if high <= level <= high + 0.5 * span]
    below = [level for level in guides if low - 0.5 * span <= level <= low]
    near = (*above[:1], *below[-1:])
    if near:
        low, high = value_range([], [low, high, *near])
    return (max(low, -_LOG_LIMIT), min(high, _LOG_LIMIT)) if is_log else (low, high)


def _within_reach(values: Sequence[float]) -> list[float]:
    """Without those beside which an axis cannot be cut into steps; they are drawn at its edge."""
    return [value for value in values if abs(value) <= _LARGEST]


def _logarithms(values: Sequence[float]) -> list[float]:
    return [math.log10(value) for value in values if value > 0 and math.isfinite(value)]


def value_ticks(values: Window, is_log: bool, height: int) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Ticks of the y axis and how they read."""
    num = max(3, min(7, height // 3))
    if not is_log:
        places = ticks(*values, num)
        return places, tick_labels(places)
    places = log_ticks(*values, num)
    labels = [short_number(place) for place in places]
    width = max(map(len, labels))
    return places, tuple(label.rjust(width) for label in labels)


def x_labels(frame: Frame) -> list[tuple[int, str]]:
    """The cells of the x axis's ticks, and how they read."""
    num = max(2, min(6, frame.width // 14))
    if frame.x == "time":
        places = time_ticks(*frame.window, num)
        return [(frame.cell_at(place), short_duration(place)) for place in places]
    places = ticks(*frame.window, num, of_counts=True)
    is_close = frame.window[1] - frame.window[0] < 0.05 * abs(frame.window[1])
    labels = [f"{place:,.10g}" if is_close and place < 1e9 else short_number(place) for place in places]
    return [(frame.cell_at(place), label) for place, label in zip(places, labels, strict=True)]


def place_words(place: float, x: XAxis) -> str:
    """A place on the x axis as one reads it: `step 640`, `epoch 1.42`, `1.2M tokens`, `after 3m20`."""
    if x == "step":
        return f"step {place:,.0f}"
    if x == "epoch":
        return f"epoch {place:.2f}"
    return f"{short_number(place)} tokens" if x == "tokens" else f"after {short_duration(place)}"


def bottom_rows(frame: Frame, axis: int) -> list[tuple[str, str]]:
    """The axis line below the plot, and the line of labels with the axis's name at its left end."""
    line, labels = list("─" * frame.plot_width), " " * frame.width
    styles = chr(axis) * frame.width
    taken = len(_X_WORDS[frame.x]) if frame.left > len(_X_WORDS[frame.x]) else 0
    if taken:
        labels, styles = laid_over(labels, styles, 0, _X_WORDS[frame.x], axis)
    for cell, label in x_labels(frame):
        line[cell] = "┬"
        start = min(frame.left + cell - len(label) // 2, frame.width - len(label))
        if cell == 0 and taken:
            start = max(start, taken + 1)  # beside the axis's name: where the axis begins is always said
        if start > taken:
            labels, styles = laid_over(labels, styles, start, label, axis)
            taken = start + len(label)
    rule = " " * (frame.left - 1) + "└" + "".join(line)
    return [(rule, chr(axis) * frame.width), (labels, styles)]
