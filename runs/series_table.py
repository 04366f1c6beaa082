"""All metrics of a run as columns: those that are recorded together share one axis; batches are taken whole."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

from runs.series import Axis, Series

AXIS_NAMES = frozenset({"seq", "step", "time", "elapsed_s", "tokens"})
_MOST_METRICS = 1000  # a run has some dozens; a file that makes up names must not fill the memory
_MOST_LAYOUTS = 10_000
_Record = Mapping[str, Any]
_Layout = tuple[str, ...]


class Group:
    """Metrics that every record so far had together, or not at all."""

    def __init__(self, axis: Axis, names: set[str]) -> None:
        self.axis = axis
        self.names = names


class SeriesTable:
    """Metrics by name. The columns belong to the thread that extends them.

    generation: rises when points were hidden; until then the beginning of every column stays as it is.
    """

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.groups: list[Group] = []
        self.generation = 0
        self._layouts: dict[_Layout, tuple[Group, ...]] = {}

    def extend(self, records: Sequence[_Record], elapsed_s: array[float]) -> None:
        """Add records whose steps are finite and ascend, also from what is there already.

        elapsed_s: of the run, for each record. A field that is no number is left out, null is a gap. Of a run with
        more than 1000 metrics, those that came last are left out.
        """
        before = set(self.series)
        try:
            self._extend(records, elapsed_s)
        except (TypeError, OverflowError):
            self._forget(self.series.keys() - before)
            self._extend([_numbers_of(record) for record in records], elapsed_s)

    def truncate_after(self, step: float) -> None:
        """Hide the points after `step`, as a resume at that step does."""
        self.generation += 1
        for group in self.groups:
            length = bisect_right(group.axis.step, step)
            group.axis.cut(length)
            for name in group.names:
                self.series[name].cut(length)

    def add_group(self, axis: Axis, series: Mapping[str, Series]) -> None:
        """Take metrics that are on one axis, as they were kept."""
        self.groups.append(Group(axis, set(series)))
        self.series |= series
        self._layouts.clear()

    def last(self, name: str) -> float | None:
        """The newest value, also when it is NaN; None when there is none."""
        series = self.series.get(name)
        return series.last() if series else None

    def recent_mean(self, name: str, count: int) -> float | None:
        """The mean of the last values, as many as that, without gaps."""
        series = self.series.get(name)
        recent = [value for value in series.value[-count:] if value == value] if series else []
        return sum(recent) / len(recent) if recent else None

    def lowest(self, name: str) -> tuple[float, int] | None:
        """The lowest value and its step, the first of several; looks at all of them."""
        series = self.series.get(name)
        pairs = zip(series.value, series.step, strict=True) if series else ()
        return min(((value, int(step)) for value, step in pairs if value == value), default=None)

    def highest(self, name: str) -> float | None:
        """The largest finite value, from the pyramid: as fast for a million points as for ten."""
        series = self.series.get(name)
        bounds = series.bounds() if series is not None else None
        buckets = series.reduce(*bounds, 1) if series is not None and bounds is not None else ()
        return buckets[0].maximum if buckets and buckets[0].count else None

    def _extend(self, records: Sequence[_Record], elapsed_s: array[float]) -> None:
        """Raises TypeError or OverflowError, and has changed no column then, when a field is no number."""
        layouts = [tuple(record) for record in records]
        distinct = set(layouts)
        for layout in distinct - self._layouts.keys():
            self._make_groups(layout)
        axis = (column(records, "step"), column(records, "time"), elapsed_s, column(records, "tokens"))
        pieces: list[tuple[Group, list[array[float]], dict[str, array[float]]]] = []
        for group in self.groups:
            with_it = {layout for layout in distinct if group in self._groups_of(layout)}
            if not with_it:
                continue
            rows, places = records, list(axis)
            if len(with_it) < len(distinct):
                has_it = [layout in with_it for layout in layouts]
                rows = list(compress(records, has_it))
                places = [array("d", compress(one, has_it)) for one in axis]
            pieces.append((group, places, {name: column(rows, name, math.nan) for name in group.names}))
        for group, places, values in pieces:
            for own, new in zip(group.axis.columns, places, strict=True):
                own.extend(new)
            for name, new in values.items():
                self.series[name].extend(new)

    def _forget(self, names: set[str]) -> None:
        """Leave out metrics that were made for fields that are none."""
        for group in self.groups:
            group.names -= names
        self.groups = [group for group in self.groups if group.names]
        for name in names:
            del self.series[name]
        self._layouts.clear()

    def _groups_of(self, layout: _Layout) -> tuple[Group, ...]:
        found = self._layouts.get(layout)
        if found is None:
            names = set(layout)
            found = tuple(group for group in self.groups if not group.names.isdisjoint(names))
            if len(self._layouts) > _MOST_LAYOUTS:
                self._layouts.clear()
            self._layouts[layout] = found
        return found

    def _make_groups(self, layout: _Layout) -> None:
        """Have groups of which a record with these fields has all metrics or none."""
        names = set(layout) - AXIS_NAMES
        is_changed = False
        for group in list(self.groups):
            others = group.names - names
            if others and len(others) < len(group.names):
                group.names -= others
                axis = group.axis.copy()
                for name in others:
                    self.series[name].axis = axis
                self.groups.append(Group(axis, others))
                is_changed = True
        new = sorted(names - self.series.keys())[: _MOST_METRICS - len(self.series)]
        if new:
            axis = Axis()
            self.series |= {name: Series(axis) for name in layout if name in set(new)}
            self.groups.append(Group(axis, set(new)))
            is_changed = True
        if is_changed:
            self._layouts.clear()


def column(records: Sequence[_Record], name: str, missing: float = 0.0) -> array[float]:
    """A field of all records; `missing` where it is null or absent. Raises TypeError, OverflowError."""
    values = [record.get(name) for record in records]
    try:
        return array("d", values)  # type: ignore[arg-type]
    except TypeError:
        return array("d", [missing if value is None else value for value in values])


def _numbers_of(record: _Record) -> dict[str, float | None]:
    """The fields that are numbers or null; a number that no float can hold is null."""
    kept: dict[str, float | None] = {}
    for name, value in record.items():
        if value is None or isinstance(value, int | float):
            try:
                kept[name] = None if value is None else float(value)
            except OverflowError:
                kept[name] = None
    return kept
