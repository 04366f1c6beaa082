"""Where an axis begins and ends, where its ticks are, and how they read."""

from __future__ import annotations

import itertools
import math

_LEAST = 1e-300  # a range that is smaller cannot be cut into steps
_ROBUST_SHARE = 0.05
_FEW = 8
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_COUNT_STEPS = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)  # steps of training are often multiples of 12
_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def short_number(value: float, digits: int = 3) -> str:
    """`0`, `300`, `1.2k`, `4.9M`, `2e-3`: at most about `digits` significant digits."""
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-2:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return f"{mantissa}e{int(exponent)}"
    for factor, suffix in _SUFFIXES:
        if size >= factor:
            return f"{value / factor:.{digits}g}{suffix}"
    return f"{value:.{digits}g}"


def ticks(low: float, high: float, num: int, of_counts: bool = False) -> tuple[float, ...]:
    """Round numbers from low to high, about `num` of them; both ends when there is nothing round between."""
    width = high - low
    if width <= 0 or num < 2:
        return (low,)
    for wanted in range(num, num + 4):
        step = _round_step(width / (wanted - 1), _COUNT_STEPS if of_counts else _STEPS)
        first = math.ceil(low / step - 1e-9)
        found = tuple(
            index * step for index in range(first, first + wanted + 2) if index * step <= high + step * 1e-6
        )
        if len(found) > 1:
            return found
    return low, high


def tick_labels(places: tuple[float, ...]) -> tuple[str, ...]:
    """One form for all ticks of an axis, as wide for each."""
    if not places:
        return ()
    largest = max(abs(place) for place in places)
    step = min((after - before for before, after in itertools.pairwise(places)), default=largest or 1.0)
    if 0 < largest < 1e-2 or largest >= 1e4:
        labels = [short_number(place) for place in places]
    else:
        decimals = max(0, min(4, -math.floor(math.log10(step) + 1e-9))) if step > 0 else 0
        if step > 0 and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
            decimals += 1
        labels = [f"{place:.{decimals}f}" for place in places]
    width = max(len(label) for label in labels)
    return tuple(label.rjust(width) for label in labels)


def step_range(first: float, newest: float, total: float) -> tuple[float, float]:
    """The step axis: an eighth, a quarter, half or all of the run, so that it seldom moves."""
    for part in (8, 4, 2, 1):
        if total > 0 and newest <= total / part:
            return min(0.0, first), total / part
    return min(0.0, first), max(newest, 1.0)


def value_range(body: list[float], must_show: list[float]) -> tuple[float, float]:
    """A range for the value axis that a few early, much higher values do not stretch.

    body: figures in the order of steps; the highest twentieth may lie above the range when there are many.
    must_show: figures that are always inside. The ends are round, so that the range seldom moves.
    """
    body = sorted(value for value in body if math.isfinite(value))
    shown = [value for value in must_show if math.isfinite(value)]
    if not body and not shown:
        return 0.0, 1.0
    if body:
        cut = max(1, int(len(body) * _ROBUST_SHARE)) if len(body) > _FEW else 0
        high = body[-1 - cut]
        # what lies a little above is no reason to cut it off
        high = body[-1] if body[-1] - body[0] <= 1.3 * (high - body[0]) else high
        shown += [body[0], high]
    low, high = min(shown), max(shown)
    if high - low < _LEAST:
        margin = abs(high) * 0.05
        margin = margin if margin > _LEAST else 0.5
        low, high = low - margin, high + margin
    step = _round_step((high - low) / 8)
    bottom = min(low, math.floor(low / step + 1e-9) * step)
    return (0.0 if low >= 0 > bottom else bottom), max(high, math.ceil(high / step - 1e-9) * step)


def _round_step(width: float, steps: tuple[float, ...] = _STEPS) -> float:
    magnitude: float = 10.0 ** math.floor(math.log10(width))
    return next(step * magnitude for step in steps if step * magnitude >= width * (1 - 1e-9))
