"""Which runs a list shows and in which order: filter, sort, groups, and what is on top in any order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runs.clock import local_time
from runs.run_summary import RunSummary
from tui.places import Place
from tui.run_fields import RunField, field_named, is_detail
from tui.run_filter import FilterError, RunFilter, parse_filter

GROUPS = {
    "": "no groups", "preset": "preset", "state": "state", "day": "day it was made", "tag": "tags",
    "sweep": "sweep", "data": "data", "group": "your own groups", "fork": "where it was forked from",
}  # fmt: skip
NEWEST = "created"
_STATE_ORDER = ("running", "stalled", "stopping", "pausing", "starting", "queued", "paused", "failed", "lost",
                "stopped", "finished")  # fmt: skip
_LARGE_FIRST = frozenset({"created", "ended", "size", "checkpoint_size", "step", "done", "time"})
_MOST_COLUMNS = 40
_LONGEST = 2000


@dataclass(frozen=True)
class Listing:
    """How a person wants the list. sort: a field's name. columns: fields' names in order; none: those that fit.

    group: one of GROUPS. folded: headings whose runs are hidden. archived: whether archived runs are listed too.
    """

    query: str = ""
    sort: str = NEWEST
    descending: bool = True
    columns: tuple[str, ...] = ()
    group: str = ""
    folded: frozenset[str] = frozenset()
    archived: bool = False

    def sorted_by(self, name: str) -> Listing:
        """By that field, the useful end first; the other way round when it is sorted by it already."""
        if name == self.sort:
            return replace(self, descending=not self.descending)
        return replace(self, sort=name, descending=name in _LARGE_FIRST)

    def remembered(self) -> dict[str, Any]:
        """For the next start."""
        return {
            "filter": self.query, "sort": self.sort, "descending": self.descending, "columns": list(self.columns),
            "group": self.group, "folded": sorted(self.folded)[:200], "archived": self.archived,
        }  # fmt: skip


def listing_of(values: Mapping[str, Any]) -> Listing:
    """What was remembered, as far as it makes sense; somebody may have written anything there."""
    query, sort, group = (values.get(key) for key in ("filter", "sort", "group"))
    return Listing(
        query=query[:_LONGEST] if isinstance(query, str) else "",
        sort=sort if isinstance(sort, str) and 0 < len(sort) < 200 else NEWEST,
        descending=values.get("descending") is not False,
        columns=_texts(values.get("columns"))[:_MOST_COLUMNS],
        group=group if isinstance(group, str) and group in GROUPS else "",
        folded=frozenset(_texts(values.get("folded"))),
        archived=values.get("archived") is True,
    )


@dataclass(frozen=True)
class Heading:
    """A line over the runs of a group. is_folded: they are hidden."""

    key: str
    title: str
    rows: tuple[RunSummary, ...]
    is_folded: bool


Line = RunSummary | Heading


@dataclass(frozen=True)
class Listed:
    """What the list shows now. lines: runs, and headings over groups. runs: those that match, folded ones too.

    num_archived: matching runs that are hidden because they are archived. error: why the filter is not understood.
    num_unread: runs of which it is not read yet what the filter or the order asks for.
    """

    lines: tuple[Line, ...] = ()
    runs: tuple[RunSummary, ...] = ()
    num_archived: int = 0
    error: FilterError | None = None
    num_unread: int = 0


def listed(
    rows: tuple[RunSummary, ...],
    listing: Listing,
    places: Mapping[str, Place],
    metrics: Collection[str],
    understood: RunFilter | None = None,
) -> Listed:
    """Filter, order and group. rows come newest first. understood: the last filter that made sense.

    A filter that makes no sense leaves the list as the last one did.
    """
    error: FilterError | None = None
    try:
        understood = parse_filter(listing.query, metrics)
    except FilterError as problem:
        error = problem
    found = rows if understood is None else understood.of(rows)
    asks_for_archived = understood is not None and "is:archived" in listing.query.lower()
    shown = found if listing.archived or asks_for_archived else tuple(row for row in found if not row.archived)
    ordered = on_top(sort_runs(shown, listing.sort, metrics, descending=listing.descending), places)
    lines = _grouped(ordered, listing) if listing.group else ordered
    order = field_named(listing.sort, metrics)
    asked = {*(understood.fields if understood else ()), *([order.key] if order else ())}
    num_unread = sum(row.settings is None for row in rows) if any(map(is_detail, asked)) else 0
    return Listed(lines, ordered, len(found) - len(shown), error, num_unread)


def sort_runs(
    rows: tuple[RunSummary, ...], name: str, metrics: Collection[str] = (), *, descending: bool = False
) -> tuple[RunSummary, ...]:
    """By a field; runs without a value come last, and newest first among equals. rows come newest first."""
    field = field_named(name, metrics)
    if field is None or field.key == NEWEST:
        return rows if descending else rows[::-1]
    with_value: list[tuple[Any, RunSummary]] = []
    without: list[RunSummary] = []
    for row in rows:
        value = _sort_value(field, row)
        if value is None:
            without.append(row)
        else:
            with_value.append((value, row))
    with_value.sort(key=lambda pair: pair[0], reverse=descending)
    return (*(row for _, row in with_value), *without)


def on_top(rows: tuple[RunSummary, ...], places: Mapping[str, Place]) -> tuple[RunSummary, ...]:
    """The runs that wait, in the order of the queue; then those that are pinned; then the others as they stand."""
    waiting = sorted((row for row in rows if row.id in places), key=lambda row: places[row.id].number)
    pinned = (row for row in rows if row.pinned and row.id not in places)
    return (*waiting, *pinned, *(row for row in rows if not row.pinned and row.id not in places))


def _sort_value(field: RunField, row: RunSummary) -> Any:
    value = field.value(row)
    if value is None or value == "" or value != value:
        return None
    if field.key == "state":
        return _STATE_ORDER.index(row.status.state) if row.status.state in _STATE_ORDER else len(_STATE_ORDER)
    return value.lower() if isinstance(value, str) else value


def _grouped(rows: tuple[RunSummary, ...], listing: Listing) -> tuple[Line, ...]:
    """Under headings, in the order in which their first runs stand; runs without one come last."""
    groups: dict[str, list[RunSummary]] = {}
    for row in rows:
        groups.setdefault(_group_of(row, listing.group), []).append(row)
    lines: list[Line] = []
    for title in sorted(groups, key=lambda title: title == ""):
        members = tuple(groups[title])
        key = f"{listing.group}:{title}"
        is_folded = key in listing.folded
        lines.append(Heading(key, title or f"(no {listing.group})", members, is_folded))
        lines += () if is_folded else members
    return tuple(lines)


def _group_of(row: RunSummary, group: str) -> str:
    if group == "day":
        return local_time(row.created, "%Y-%m-%d") if row.created else ""
    field = field_named(group)
    value = field.value(row) if field is not None else None
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(one for one in value if isinstance(one, str) and len(one) < _LONGEST)
