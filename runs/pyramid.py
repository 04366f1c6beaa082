"""Extremes, sums and counts of a column by blocks of points, so that a picture of any width is drawn at once."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left

from runs.columns import Column

FACTOR = 16

Figures = tuple[float, float, float, int]
"""Minimum, maximum, sum and number of the finite values; infinities, 0.0 and 0 where there are none."""


class Level:
    """Figures of whole blocks of points; only complete blocks are in it, so appending never rewrites."""

    def __init__(self) -> None:
        self.minimum = Column()
        self.maximum = Column()
        self.total = Column()
        self.count = Column("q")

    def __len__(self) -> int:
        return len(self.count)

    @property
    def columns(self) -> tuple[Column, Column, Column, Column]:
        """In the order of Figures."""
        return (self.minimum, self.maximum, self.total, self.count)

    def append(self, figures: Figures) -> None:
        """Add a block."""
        minimum, maximum, total, count = figures
        self.minimum.append(minimum)
        self.maximum.append(maximum)
        self.total.append(total)
        self.count.append(count)

    def figures(self, start: int, stop: int) -> Figures:
        """Of the blocks [start, stop), which must not be empty."""
        return (
            min(self.minimum[start:stop]),
            max(self.maximum[start:stop]),
            sum(self.total[start:stop]),
            sum(self.count[start:stop]),
        )


class Pyramid:
    """Over a column that only grows or is cut at its end; catches up with it when it is asked.

    values: the column. gaps: the places in it that are not finite, ascending.
    """

    def __init__(self, values: Column, gaps: array[int]) -> None:
        self._values = values
        self._gaps = gaps
        self.levels: list[Level] = []

    def cut(self, length: int) -> None:
        """The column was cut to that length."""
        block = 1
        for level in self.levels:
            block *= FACTOR
            for column in level.columns:
                del column[length // block :]

    def catch_up(self) -> None:
        """Add the blocks that have become complete."""
        depth, block = 0, FACTOR
        while block <= len(self._values):
            if depth == len(self.levels):
                self.levels.append(Level())
            level, below = self.levels[depth], self.levels[depth - 1]
            for index in range(len(level), len(self._values) // block):
                if depth:
                    level.append(below.figures(index * FACTOR, (index + 1) * FACTOR))
                else:
                    level.append(self._raw_figures(index * FACTOR, (index + 1) * FACTOR))
            depth, block = depth + 1, block * FACTOR

    def depth_for(self, points_per_bucket: float) -> tuple[int, int]:
        """The level whose blocks are fine enough for buckets of that many points, and the size of its blocks."""
        depth, block = 0, 1
        while depth < len(self.levels) and block * FACTOR * 8 <= points_per_bucket:
            depth, block = depth + 1, block * FACTOR
        return depth, block

    def figures(self, start: int, stop: int, depth: int, block: int) -> Figures:
        """Of the points [start, stop), by the blocks of a level that `depth_for` named."""
        if depth == 0:
            return self._raw_figures(start, stop)
        level = self.levels[depth - 1]
        first, last = -(-start // block), min(stop // block, len(level))
        if first >= last:
            return self._raw_figures(start, stop)
        minimum, maximum, total, count = level.figures(first, last)
        for edge_start, edge_stop in ((start, first * block), (last * block, stop)):
            if edge_stop > edge_start:
                edge = self._raw_figures(edge_start, edge_stop)
                minimum, maximum = min(minimum, edge[0]), max(maximum, edge[1])
                total, count = total + edge[2], count + edge[3]
        return minimum, maximum, total, count

    def _raw_figures(self, start: int, stop: int) -> Figures:
        values = self._values[start:stop]
        first = bisect_left(self._gaps, start)
        if first < len(self._gaps) and self._gaps[first] < stop:
            values = array("d", (value for value in values if value == value))
            if not values:
                return math.inf, -math.inf, 0.0, 0
        return min(values), max(values), sum(values), len(values)
