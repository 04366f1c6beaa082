"""Metric records as they come from a file, made fit for columns: anybody may have written into it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from runs.series_table import column

_Records = Sequence[dict[str, Any]]


def in_order(records: _Records, newest_step: float) -> _Records:
    """The records whose steps are finite numbers and do not go back, nor behind `newest_step`."""
    try:
        steps = [record["step"] for record in records]
        if (
            steps
            and steps[0] >= newest_step
            and math.isfinite(steps[-1])
            and all(later >= earlier for earlier, later in pairwise(steps))
        ):
            return records
    except (KeyError, TypeError, OverflowError):
        pass  # one by one, then
    kept = []
    for record in records:
        step = number(record.get("step"))
        if math.isfinite(step) and step >= newest_step:
            newest_step = step
            kept.append(record)
    return kept


def numbers(records: _Records, name: str, default: float = 0.0) -> array[float]:
    """A field of all records; the default where it is no number."""
    try:
        return column(records, name, default)
    except (TypeError, OverflowError):
        return array("d", [number(record.get(name), default) for record in records])


def number(value: object, default: float = math.nan) -> float:
    """A value as a float; the default when it is no number, or none that a float can hold."""
    try:
        return float(value) if isinstance(value, int | float) else default
    except OverflowError:
        return default
