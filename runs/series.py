"""One metric over a run: append-only columns, with a pyramid of extremes so that any width is drawn at once."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from typing import Literal

import msgspec

from runs.columns import Column, Numbers
from runs.pyramid import Pyramid

Along = Literal["step", "tokens", "time"]


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


class Axis:
    """Where points stand. step: ascending; time: Unix s; elapsed_s: of the run; tokens: seen so far.

    Metrics that are recorded together have one axis together, which is most of their memory.
    """

    def __init__(self) -> None:
        self.step = array("d")  # always in memory: every look at a series searches it
        self.time = Column()
        self.elapsed_s = Column()
        self.tokens = Column()

    def __len__(self) -> int:
        return len(self.step)

    @property
    def columns(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Step, time, elapsed seconds, tokens."""
        return (self.step, self.time, self.elapsed_s, self.tokens)

    def along(self, name: Along) -> Numbers:
        """The column of that axis; "time" is the run's own, without the hours between two attempts."""
        return self.elapsed_s if name == "time" else self.tokens if name == "tokens" else self.step

    def copy(self) -> Axis:
        """The same places, to go on by themselves."""
        other = Axis()
        for column, own in zip(other.columns, self.columns, strict=True):
            column.extend(own)
        return other

    def cut(self, length: int) -> None:
        """Forget the places from `length` on."""
        for column in self.columns:
            del column[length:]


class Series:
    """Points in the order of their steps. Not for several threads: read it where it is written.

    Columns: those of its axis, and value (NaN is a gap). version: rises with every change.
    """

    def __init__(self, axis: Axis | None = None) -> None:
        """axis: one that is shared, and that its owner extends and cuts together with every series on it."""
        self.axis = axis if axis is not None else Axis()
        self.value = Column()
        self.version = 0
        self.gaps = array("q")
        self.pyramid = Pyramid(self.value, self.gaps)

    def __len__(self) -> int:
        return len(self.value)

    @property
    def step(self) -> array[float]:
        return self.axis.step

    @property
    def time(self) -> Column:
        return self.axis.time

    @property
    def elapsed_s(self) -> Column:
        return self.axis.elapsed_s

    @property
    def tokens(self) -> Column:
        return self.axis.tokens

    @property
    def num_gaps(self) -> int:
        """Values that were not finite."""
        return len(self.gaps)

    def append(
        self, step: float, value: float, *, time: float = 0.0, elapsed_s: float = 0.0, tokens: float = 0.0
    ) -> None:
        """Add a point to a series that shares its axis with no other; a value that is not finite is kept as a gap.

        Raises ValueError for an earlier step.
        """
        if self.step and step < self.step[-1]:
            raise ValueError(f"step {step:g} comes after step {self.step[-1]:g}")
        for column, place in zip(self.axis.columns, (step, time, elapsed_s, tokens), strict=True):
            column.append(place)
        self.extend(array("d", (value,)))

    def extend(self, values: array[float]) -> None:
        """Add the values of places that the axis has got already."""
        if not math.isfinite(sum(values)):  # also where large ones overflow in the sum
            values = self._with_gaps(values)
        self.value.extend(values)
        self.version += 1

    def truncate_after(self, step: float) -> None:
        """Hide the points after `step`, as a resume at that step does, when it shares its axis with no other."""
        length = bisect_right(self.step, step)
        self.axis.cut(length)
        self.cut(length)

    def cut(self, length: int) -> None:
        """Forget the values from the place `length` on."""
        if length == len(self.value):
            return
        del self.value[length:]
        del self.gaps[bisect_left(self.gaps, length) :]
        self.pyramid.cut(length)
        self.version += 1

    def last(self) -> float | None:
        """The newest value, also when it is NaN; None when there is none."""
        return self.value[-1] if self.value else None

    def bounds(self) -> tuple[float, float] | None:
        """First and last step, or None when empty."""
        return (self.step[0], self.step[-1]) if self.step else None

    def reduce(self, low: float, high: float, num_buckets: int, along: Along = "step") -> tuple[Bucket, ...]:
        """The points with low <= x <= high, in at most `num_buckets` stretches of equal width on that axis.

        Stretches without points are left out. Every point is in exactly one bucket and the extremes are
        exact for the points in it; borders between buckets are moved to the pyramid's blocks, by at most
        a sixteenth of the points of a mean bucket. Bucket.step is on that axis.
        """
        places = self.axis.along(along)
        start, stop = bisect_left(places, low), bisect_right(places, high)
        if stop <= start or num_buckets < 1:
            return ()
        self.pyramid.catch_up()
        depth, block = self.pyramid.depth_for((stop - start) / num_buckets)
        width = (high - low) / num_buckets
        buckets: list[Bucket] = []
        here = start
        for index in range(1, num_buckets + 1):
            there = stop
            if index < num_buckets:
                there = bisect_left(places, low + index * width, here, stop)
                if block > 1:
                    there = min(stop, max(here, (there + block // 2) // block * block))
            if there > here:
                buckets.append(self._bucket(places, here, there, depth, block))
            here = there
        return tuple(buckets)

    def _bucket(self, places: Numbers, start: int, stop: int, depth: int, block: int) -> Bucket:
        minimum, maximum, total, count = self.pyramid.figures(start, stop, depth, block)
        return Bucket(
            (places[start] + places[stop - 1]) / 2,
            minimum if count else math.nan,
            maximum if count else math.nan,
            total / count if count else math.nan,
            count,
            stop - start - count,
        )

    def _with_gaps(self, values: array[float]) -> array[float]:
        """The values with NaN for those that are not finite, whose places are noted."""
        kept = array("d", values)
        for index, value in enumerate(values):
            if not math.isfinite(value):
                kept[index] = math.nan
                self.gaps.append(len(self.value) + index)
        return kept
