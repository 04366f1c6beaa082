"""Where an axis begins and ends, where its ticks are, and how they read."""

from __future__ import annotations

import itertools
import math

_LEAST = 1e-300  # a range that is smaller cannot be cut into steps
_ROBUST_SHARE = 0.05
_FEW = 8
_VALUE_STEPS = 20  # of a value axis, at the least, so that at most a tenth of it stands empty at either end
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_COUNT_STEPS = (1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)  # steps of training are often multiples of 12
_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SECONDS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600,
    86400, 2 * 86400, 5 * 86400, 10 * 86400, 30 * 86400, 100 * 86400,
)  # fmt: skip
_DECADE_PARTS = (1.0, 2.0, 5.0)


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


def step_range(first: float, newest: float, total: float, begin: float = 0.0) -> tuple[float, float]:
    """The step axis: an eighth, a quarter, half or all of the run, so that it seldom moves.

    begin: the step that the run went on from, if it is a fork; what lies before it is another run's.
    """
    low, length = min(begin, first), total - begin
    for part in (8, 4, 2, 1):
        if length > 0 and newest - begin <= length / part:
            return low, begin + length / part
    return low, max(newest, begin + 1.0)


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
    step = _round_step((high - low) / _VALUE_STEPS)
    bottom = min(low, math.floor(low / step + 1e-9) * step)
    return (0.0 if low >= 0 > bottom else bottom), max(high, math.ceil(high / step - 1e-9) * step)


def _round_step(width: float, steps: tuple[float, ...] = _STEPS) -> float:
    magnitude: float = 10.0 ** math.floor(math.log10(width))
    return next(step * magnitude for step in steps if step * magnitude >= width * (1 - 1e-9))


def time_ticks(low: float, high: float, num: int) -> tuple[float, ...]:
    """As `ticks`, for seconds: whole seconds, minutes, hours or days."""
    step = next((step for step in _SECONDS if (high - low) / step <= num), 0)
    if step == 0 or high - low < 4:
        return ticks(low, high, num)
    first = math.ceil(low / step - 1e-9)
    return tuple(float(index * step) for index in range(first, math.floor(high / step + 1e-9) + 1))


def short_duration(seconds: float) -> str:
    """`0`, `2.5s`, `45s`, `1m30`, `2h`, `2h05`, `3d`, `3d6h`."""
    if seconds == 0:
        return "0"
    if seconds < 60:
        return f"{seconds:.3g}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h" if hours else f"{days}d"


def log_ticks(low: float, high: float, num: int) -> tuple[float, ...]:
    """Values, not their logarithms, for an axis from 10**low to 10**high."""
    if high - low < 0.7:
        return tuple(place for place in ticks(10**low, 10**high, num) if place > 0)
    stride = max(1, math.ceil((high - low) / max(1, num)))
    parts = _DECADE_PARTS if (high - low) * len(_DECADE_PARTS) <= num + 1 else _DECADE_PARTS[:1]
    first = math.floor(low / stride) * stride
    places = (part * 10.0**decade for decade in range(first, math.ceil(high) + 1, stride) for part in parts)
    found = tuple(place for place in places if place > 0 and low - 1e-9 <= math.log10(place) <= high + 1e-9)
    return found if len(found) > 1 else (10**low, 10**high)


def newest_range(first: float, newest: float, begin: float = 0.0) -> tuple[float, float]:
    """An axis whose end nobody knows: a little more than there is, in leaps of about an eighth.

    begin: where the first point is, if that is far from 0; the axis begins a leap before it at most.
    """
    if newest <= _LEAST:
        return min(0.0, first), 1.0
    leap = _round_step((newest - begin if newest > begin else newest) / 10)
    high = max(math.ceil(newest / leap - 1e-9) * leap, begin + leap)
    return min(math.floor(begin / leap + 1e-9) * leap, first), high
