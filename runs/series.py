"""One metric over a run: append-only columns, with a pyramid of extremes so that any width is drawn at once."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right

import msgspec

_FACTOR = 16


class Bucket(msgspec.Struct, frozen=True):
    """What a stretch of points comes to. step: the middle of the steps in it.

    count: finite values; num_gaps: values that were not finite. Without a finite value, the figures are NaN.
    """

    step: float
    minimum: float
    maximum: float
    mean: float
    count: int
    num_gaps: int = 0


class _Level:
    """Figures of whole blocks of points; only complete blocks are in it, so appending never rewrites."""

    def __init__(self) -> None:
        self.minimum = array("d")
        self.maximum = array("d")
        self.total = array("d")
        self.count = array("q")

    def append(self, minimum: float, maximum: float, total: float, count: int) -> None:
        self.minimum.append(minimum)
        self.maximum.append(maximum)
        self.total.append(total)
        self.count.append(count)

    def figures(self, start: int, stop: int) -> tuple[float, float, float, int]:
        """Minimum, maximum, sum and number of finite values in the blocks [start, stop)."""
        return (
            min(self.minimum[start:stop]),
            max(self.maximum[start:stop]),
            sum(self.total[start:stop]),
            sum(self.count[start:stop]),
        )

    def cut(self, length: int) -> None:
        for column in (self.minimum, self.maximum, self.total, self.count):
            del column[length:]


class Series:
    """Points in the order of their steps. Not for several threads: read it where it is written.

    Columns: step, time (Unix s), elapsed_s (of the run), tokens (seen so far), value (NaN is a gap).
    """

    def __init__(self) -> None:
        self.step = array("d")
        self.time = array("d")
        self.elapsed_s = array("d")
        self.tokens = array("d")
        self.value = array("d")
        self.version = 0
        self._gaps = array("q")
        self._levels: list[_Level] = []

    def __len__(self) -> int:
        return len(self.value)

    @property
    def num_gaps(self) -> int:
        """Values that were not finite."""
        return len(self._gaps)

    def append(
        self, step: float, value: float, *, time: float = 0.0, elapsed_s: float = 0.0, tokens: float = 0.0
    ) -> None:
        """Add a point; a value that is not finite is kept as a gap. Raises ValueError for an earlier step."""
        if self.step and step < self.step[-1]:
            raise ValueError(f"step {step:g} comes after step {self.step[-1]:g}")
        if not math.isfinite(value):
            value = math.nan
            self._gaps.append(len(self.value))
        self.step.append(step)
        self.time.append(time)
        self.elapsed_s.append(elapsed_s)
        self.tokens.append(tokens)
        self.value.append(value)
        self.version += 1
        self._complete_blocks()

    def truncate_after(self, step: float) -> None:
        """Hide the points after `step`, as a resume at that step does."""
        length = bisect_right(self.step, step)
        if length == len(self.value):
            return
        for column in (self.step, self.time, self.elapsed_s, self.tokens, self.value):
            del column[length:]
        del self._gaps[bisect_left(self._gaps, length) :]
        block = 1
        for level in self._levels:
            block *= _FACTOR
            level.cut(length // block)
        self.version += 1

    def last(self) -> float | None:
        """The newest value, also when it is NaN; None when there is none."""
        return self.value[-1] if self.value else None

    def bounds(self) -> tuple[float, float] | None:
        """First and last step, or None when empty."""
        return (self.step[0], self.step[-1]) if self.step else None

    def reduce(self, low_step: float, high_step: float, num_buckets: int) -> tuple[Bucket, ...]:
        """The points with low_step <= step <= high_step, in at most `num_buckets` stretches of equal width.

        Stretches without points are left out. Every point is in exactly one bucket and the extremes are
        exact for the points in it; borders between buckets are moved to the pyramid's blocks, by at most
        a sixteenth of the points of a mean bucket.
        """
        start, stop = bisect_left(self.step, low_step), bisect_right(self.step, high_step)
        if stop <= start or num_buckets < 1:
            return ()
        depth, block = self._depth_for((stop - start) / num_buckets)
        width = (high_step - low_step) / num_buckets
        buckets: list[Bucket] = []
        here = start
        for index in range(1, num_buckets + 1):
            there = stop
            if index < num_buckets:
                there = bisect_left(self.step, low_step + index * width, here, stop)
                if block > 1:
                    there = min(stop, max(here, (there + block // 2) // block * block))
            if there > here:
                buckets.append(self._bucket(here, there, depth, block))
            here = there
        return tuple(buckets)

    def _depth_for(self, points_per_bucket: float) -> tuple[int, int]:
        depth, block = 0, 1
        while depth < len(self._levels) and block * _FACTOR * 8 <= points_per_bucket:
            depth, block = depth + 1, block * _FACTOR
        return depth, block

    def _bucket(self, start: int, stop: int, depth: int, block: int) -> Bucket:
        minimum, maximum, total, count = self._figures(start, stop, depth, block)
        return Bucket(
            (self.step[start] + self.step[stop - 1]) / 2,
            minimum if count else math.nan,
            maximum if count else math.nan,
            total / count if count else math.nan,
            count,
            stop - start - count,
        )

    def _figures(self, start: int, stop: int, depth: int, block: int) -> tuple[float, float, float, int]:
        if depth == 0:
            return self._raw_figures(start, stop)
        level = self._levels[depth - 1]
        first, last = -(-start // block), min(stop // block, len(level.count))
        if first >= last:
            return self._raw_figures(start, stop)
        minimum, maximum, total, count = level.figures(first, last)
        for edge_start, edge_stop in ((start, first * block), (last * block, stop)):
            if edge_stop > edge_start:
                edge = self._raw_figures(edge_start, edge_stop)
                minimum, maximum = min(minimum, edge[0]), max(maximum, edge[1])
                total, count = total + edge[2], count + edge[3]
        return minimum, maximum, total, count

    def _raw_figures(self, start: int, stop: int) -> tuple[float, float, float, int]:
        values = self.value[start:stop]
        if bisect_left(self._gaps, start) != bisect_left(self._gaps, stop):
            values = array("d", (value for value in values if value == value))
            if not values:
                return math.inf, -math.inf, 0.0, 0
        return min(values), max(values), sum(values), len(values)

    def _complete_blocks(self) -> None:
        length, block, depth = len(self.value), _FACTOR, 0
        while length % block == 0:
            if depth == len(self._levels):
                self._levels.append(_Level())
            if depth == 0:
                figures = self._raw_figures(length - block, length)
            else:
                end = length * _FACTOR // block
                figures = self._levels[depth - 1].figures(end - _FACTOR, end)
            self._levels[depth].append(*figures)
            depth, block = depth + 1, block * _FACTOR
