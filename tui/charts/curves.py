"""A line made ready to draw: its points reduced to the width, averaged, and as dots of a canvas."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runs.series import Bucket, Series
from tui.charts.canvas import bits
from tui.charts.spec import DASHES, Line, column_of
from tui.charts.view import ChartView

_SMOOTHINGS = ((4000, 0.98), (400, 0.9), (100, 0.8), (40, 0.6), (0, 0.0))
_FORGOTTEN = 4.0  # of how many times an average's length nothing is left

Point = tuple[int, int, int]
"""Column of dots, lowest and highest dot in it."""


@dataclass(frozen=True)
class Curve:
    """A line in the visible window. places: on the x axis; average: what is drawn as the line, NaN in gaps.

    is_raw: somebody asked for what was recorded, and no average of it.
    """

    line: Line
    buckets: tuple[Bucket, ...]
    places: tuple[float, ...]
    average: tuple[float, ...]
    decay: float
    is_raw: bool = False

    @property
    def is_dense(self) -> bool:
        """Several points stand in one column."""
        return any(bucket.count > 1 for bucket in self.buckets)


def smoothing_for(num_points: int) -> float:
    """How much of the average each new value keeps: more where there are more values, so it never lags far."""
    return next(decay for least, decay in _SMOOTHINGS if num_points >= least)


def decay_of(line: Line, view: ChartView) -> float:
    """What is asked for, else what the number of points asks for."""
    if line.steady:
        return 0.0
    if view.smoothing is not None:
        return view.smoothing
    return smoothing_for(len(line.series)) if line.smoothed else 0.0


def curve_of(line: Line, view: ChartView, window: tuple[float, float], num_columns: int) -> Curve:
    """The line as it is in the window."""
    divisor, along = line.divisor(view.x), column_of(view.x)
    low, high = window[0] * divisor, window[1] * divisor
    points = line.series.axis.along(along)
    start, stop = bisect_left(points, low), bisect_right(points, high)
    is_sparse = stop - start <= num_columns and not line.markers
    first = points[start - 1] if is_sparse and start > 0 else low
    last = points[stop] if is_sparse and stop < len(points) else high
    buckets = line.series.reduce(first, last, num_columns, along)
    decay = decay_of(line, view)
    average = [bucket.mean for bucket in buckets]
    if decay > 0:
        average = smooth(buckets, decay, average_before(line.series, bisect_left(points, first), decay))
    if is_sparse:
        buckets = _cut_at(low, high, buckets, average)
    places = tuple(bucket.step / divisor for bucket in buckets)
    is_raw = view.smoothing == 0.0 and not line.steady
    return Curve(line, buckets, places, tuple(average), decay, is_raw)


def _cut_at(low: float, high: float, buckets: tuple[Bucket, ...], average: list[float]) -> tuple[Bucket, ...]:
    """With points at the window's edges in place of those just outside it, so that the line reaches them."""
    cut = list(buckets)
    for outer, inner, edge in ((0, 1, low), (-1, -2, high)):
        if len(cut) > 1 and (cut[outer].step < low or cut[outer].step > high):
            there, here = cut[outer], cut[inner]
            share = (edge - there.step) / (here.step - there.step) if here.step != there.step else 0.0
            value = there.mean + (here.mean - there.mean) * share
            average[outer] += (average[inner] - average[outer]) * share
            cut[outer] = Bucket(edge, value, value, value, 1)
    return tuple(cut)


def average_before(series: Series, start: int, decay: float) -> tuple[float, float]:
    """The sum and the weight of the average when it comes to the point `start`."""
    total = weight = 0.0
    for value in series.value[max(0, start - int(_FORGOTTEN / (1 - decay))) : start]:
        if value == value:
            total = decay * total + (1 - decay) * value
            weight = decay * weight + (1 - decay)
    return total, weight


def smooth(buckets: Sequence[Bucket], decay: float, before: tuple[float, float] = (0.0, 0.0)) -> list[float]:
    """Exponential moving average with that decay for each recorded value, taken over bucket means."""
    smoothed: list[float] = []
    total, weight = before
    for bucket in buckets:
        if bucket.count:
            kept = decay**bucket.count
            total = kept * total + (1 - kept) * bucket.mean
            weight = kept * weight + (1 - kept)
        smoothed.append(total / weight if weight else math.nan)
    return smoothed


def dots_of(parts: Sequence[Sequence[Point]], num_columns: int, style: str = "solid") -> list[int]:
    """The columns of dots of a line, or of an area, whose neighbouring points are joined; parts are not."""
    columns = [0] * num_columns
    drawn, left_out = DASHES[style]
    for points in parts:
        before: Point | None = None
        for point in points:
            for column, low, high in _joined(before, point):
                if left_out == 0 or column % (drawn + left_out) < drawn:
                    columns[column] |= bits(low, high)
            before = point
    return columns


def _joined(before: Point | None, point: Point) -> list[Point]:
    """The point with what leads to it from the one before."""
    if before is None:
        return [point]
    column, low, high = point
    width = column - before[0]
    if width <= 1:
        # one above the other: the gap between them belongs to the later
        return [(column, min(low, before[2] + 1), max(high, before[1] - 1)) if width else point]
    found = []
    last_low, last_high = before[1], before[2]
    for step in range(1, width + 1):
        here_low = before[1] + (low - before[1]) * step // width
        here_high = before[2] + (high - before[2]) * step // width
        found.append((before[0] + step, min(here_low, last_high + 1), max(here_high, last_low - 1)))
        last_low, last_high = here_low, here_high
    return found


def parts_of(
    places: Sequence[float],
    lows: Sequence[float],
    highs: Sequence[float],
    column_at: Callable[[float], int],
    dot_at: Callable[[float], int],
) -> list[list[Point]]:
    """Points on the canvas, cut into parts where a value is missing."""
    parts: list[list[Point]] = [[]]
    for place, low, high in zip(places, lows, highs, strict=True):
        if math.isfinite(low) and math.isfinite(high):
            parts[-1].append((column_at(place), dot_at(low), dot_at(high)))
        elif parts[-1]:
            parts.append([])
    return parts
