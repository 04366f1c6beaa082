"""Which runs of a list are meant by what was typed, and in which order they stand."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable

from runs.summary import RunSummary

SORTS = ("newest", "best loss", "name", "state")
_FIELDS: dict[str, Callable[[RunSummary], str]] = {
    "state": lambda row: row.status.state,
    "preset": lambda row: row.preset,
    "name": lambda row: row.name,
    "data": lambda row: row.dataset,
    "tag": lambda row: " ".join(row.tags),
    "note": lambda row: row.note,
    "id": lambda row: row.id,
}
_NUMBERS: dict[str, Callable[[RunSummary], float | None]] = {
    "loss": lambda row: row.best_loss,
    "best": lambda row: row.best_loss,
    "last": lambda row: row.last_loss,
    "step": lambda row: row.step,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq,
}  # fmt: skip
_COMPARE = re.compile(r"(\w+)(<=|>=|<|>|=)(-?[\d.]+(?:e-?\d+)?)")
_STATE_ORDER = ("running", "stalled", "stopping", "pausing", "starting", "queued", "paused", "failed", "lost",
                "stopped")  # fmt: skip


def filter_runs(rows: tuple[RunSummary, ...], query: str) -> tuple[RunSummary, ...]:
    """The runs that match every word: `warm`, `state:running`, `preset:v1`, `tag:keep`, `loss<6`.

    A comparison with a figure that a run does not have does not match it.
    """
    tests = [_test(word) for word in query.lower().split()]
    return tuple(row for row in rows if all(test(row) for test in tests))


def sort_runs(rows: tuple[RunSummary, ...], sort: str) -> tuple[RunSummary, ...]:
    """By one of SORTS; newest first among equals. rows come newest first."""
    if sort == "best loss":
        return tuple(sorted(rows, key=lambda row: math.inf if row.best_loss is None else row.best_loss))
    if sort == "name":
        return tuple(sorted(rows, key=lambda row: row.name.lower()))
    if sort == "state":
        return tuple(sorted(rows, key=_state_place))
    return rows


def _state_place(row: RunSummary) -> int:
    state = row.status.state
    return _STATE_ORDER.index(state) if state in _STATE_ORDER else len(_STATE_ORDER)


def _test(word: str) -> Callable[[RunSummary], bool]:
    comparison = _COMPARE.fullmatch(word)
    if comparison is not None and comparison[1] in _NUMBERS:
        number, compare = _NUMBERS[comparison[1]], _COMPARISONS[comparison[2]]
        try:
            limit = float(comparison[3])
        except ValueError:
            return lambda row: False
        return lambda row: (value := number(row)) is not None and compare(value, limit)
    field, colon, wanted = word.partition(":")
    if colon and field in _FIELDS:
        return lambda row: wanted in _FIELDS[field](row).lower()
    return lambda row: any(word in text(row).lower() for text in _FIELDS.values())
