"""What a chart shows: its lines, what stands beside them, and in which styles."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from rich.style import Style

from runs.series import Along, Series
from tui.charts.view import XAxis


@dataclass(frozen=True)
class Palette:
    """The styles of a chart; none of them carries a meaning that no word, sign or dash has beside it.

    lines: of the lines, by their number; faint: of what was recorded behind each smoothed line.
    only_ascii: draw with the characters that every terminal has. base: what all of them stand on.
    """

    lines: tuple[Style, ...]
    faint: tuple[Style, ...]
    guide: Style
    axis: Style
    cursor: Style
    only_ascii: bool = False
    base: Style = field(default_factory=Style.null)


DASHES: dict[str, tuple[int, int]] = {"solid": (1, 0), "dashed": (6, 4), "dotted": (2, 3), "long": (14, 4)}
"""How many columns of dots are drawn, and how many are left out."""


@dataclass(frozen=True)
class Line:
    """A metric of a run. colour: the number of its style in the palette. style: a key of DASHES.

    band: what was recorded is drawn dimmed behind the smoothed line. smoothed: averaged also when nobody asked for
    it; steady: never averaged. markers: a sign on each point while there are few of them. sign: a character on the
    line here and there, so that it is known without colour. has_own_scale: fills the height by itself, as the
    learning rate does over the loss. epoch_steps: steps of an epoch, 0 if unknown.
    """

    series: Series
    label: str = ""
    colour: int = 0
    style: str = "solid"
    band: bool = False
    smoothed: bool = False
    steady: bool = False
    markers: str = ""
    sign: str = ""
    has_own_scale: bool = False
    epoch_steps: float = 0.0

    def divisor(self, x: XAxis) -> float:
        """By which the column of that axis is divided; 0 where it has no such axis."""
        return self.epoch_steps if x == "epoch" else 1.0

    def bounds(self, x: XAxis) -> tuple[float, float] | None:
        """First and last place on that axis; None when nothing stands on it."""
        places, divisor = self.series.axis.along(column_of(x)), self.divisor(x)
        if not len(self.series) or divisor <= 0 or (x in ("tokens", "time") and places[-1] <= 0):
            return None
        return places[0] / divisor, places[-1] / divisor

    def place_of_step(self, step: float, x: XAxis) -> float | None:
        """Where a step stands on that axis; None when it cannot be told."""
        if x == "step":
            return step
        if x == "epoch":
            return step / self.epoch_steps if self.epoch_steps > 0 else None
        at = bisect_right(self.series.step, step) - 1
        return self.series.axis.along(column_of(x))[at] if at >= 0 else None

    def value_at(self, place: float, x: XAxis) -> tuple[float, float] | None:
        """Step and value of the newest point at or before that place; None before the first."""
        at = bisect_right(self.series.axis.along(column_of(x)), place * self.divisor(x) * (1 + 1e-12)) - 1
        return (self.series.step[at], self.series.value[at]) if 0 <= at < len(self.series) else None


def column_of(x: XAxis) -> Along:
    """The column in which the places of an axis are."""
    return "step" if x == "epoch" else x


@dataclass(frozen=True)
class Mark:
    """A step at which somebody did something to the run, and what, in a word or two."""

    step: int
    words: str


@dataclass(frozen=True)
class ChartSpec:
    """lines: the first is the one that marks and the best belong to, and is drawn over the others.

    guides: label and height of horizontal lines, drawn when they are in reach. marks: by step, oldest first.
    best: step and value. total_steps: the run's length, 0 if unknown. factor: values are multiplied by it.
    legend: name the lines in the chart. empty: what stands there while there are no figures. first_step: that the
    run went on from, if it is a fork, or of several the earliest.
    """

    lines: tuple[Line, ...] = ()
    guides: tuple[tuple[str, float], ...] = ()
    marks: tuple[Mark, ...] = ()
    best: tuple[int, float] | None = None
    total_steps: int = 0
    from_zero: bool = False
    factor: float = 1.0
    legend: bool = False
    empty: str = "no figures yet"
    first_step: int = 0

    def versions(self) -> tuple[int, ...]:
        """Which change when there is something else to draw."""
        return tuple(line.series.version for line in self.lines)
