"""The columns of the list of runs: which of them fit, and what stands in their cells."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from rich.cells import cell_len

from tui.run_fields import field_named
from tui.safe_text import safe_text

GAP = 2
_LONGEST_NAME = 60
_ENOUGH_WORDS = 40  # in the last column, before names get what is left over


@dataclass(frozen=True)
class Column:
    """A column of the list. priority: 0 is always shown; those with higher ones go first when it is narrow."""

    key: str
    label: str
    width: int
    priority: int = 0
    is_right: bool = False
    sort: str = ""


_USUAL = (
    Column("state", "state", 10, sort="state"),
    Column("name", "name", 16, sort="name"),
    Column("preset", "preset", 13, 3, sort="preset"),
    Column("data", "data", 14, 2, sort="data"),
    Column("step", "step", 13, is_right=True, sort="step"),
    Column("best", "best", 6, is_right=True, sort="best"),
    Column("last", "last", 6, 1, is_right=True, sort="last"),
    Column("time", "time", 7, 1, is_right=True, sort="time"),
    Column("curve", "val loss", 12, 4),
    Column("created", "created", 12, 5, sort="created"),
    Column("size", "size", 7, 6, is_right=True, sort="size"),
    Column("about", "tags, cause", 14, 3),
)
_WIDE_ABOUT = Column("about", "tags, cause", 26, 1)  # one of the runs has more to say than fits
_OWN = {column.key: column for column in _USUAL}
USUAL = tuple(_OWN)
"""The columns when nobody has chosen any."""

COMPOSED = {
    "curve": "validation losses as a small curve",
    "about": "tags, note, cause of a failure, what it waits for",
}
"""Columns that are no field of their own."""


def column_of(key: str, metrics: Collection[str] = ()) -> Column | None:
    """The column of that name: one of ours, or any field of a run; None for what is none."""
    if key in _OWN:
        return _OWN[key]
    field = field_named(key, metrics)
    if field is None:
        return None
    is_right = field.kind != "text"
    return Column(field.key, safe_text(field.label, 24), field.width, is_right=is_right, sort=field.key)


def fitting(
    width: int, chosen: tuple[str, ...], metrics: Collection[str], has_much_to_say: bool
) -> tuple[tuple[Column, ...], int]:
    """The columns that have room, and how many of the chosen ones have none. width: in cells.

    chosen: in their order, as many from the left as fit; without any the most important, and what is left over
    goes to the last words. has_much_to_say: those get room to be read, at the cost of other columns.
    """
    if chosen:
        wanted = [column for key in chosen if (column := column_of(key, metrics)) is not None]
        taken: list[Column] = []
        room = width
        for column in wanted:
            if taken and column.width + GAP > room:
                break
            taken.append(column)
            room -= column.width + GAP
        return _stretched(tuple(taken), room), len(wanted) - len(taken)
    usual = (*_USUAL[:-1], _WIDE_ABOUT) if has_much_to_say else _USUAL
    room = width
    keys: set[str] = set()
    for column in sorted(usual, key=lambda column: column.priority):
        if column.width + GAP <= room or column.priority == 0:
            keys.add(column.key)
            room -= column.width + GAP
    kept = tuple(column for column in usual if column.key in keys)
    return (_stretched(kept, room) if room >= 0 else _narrowed(kept, width)), 0


def _narrowed(columns: tuple[Column, ...], width: int) -> tuple[Column, ...]:
    """Of a very narrow list the state and the name are left, and as much of the others as there is room for."""
    while len(columns) > 2 and sum(column.width + GAP for column in columns) > width:
        columns = columns[:-1]
    over = max(0, sum(column.width + GAP for column in columns) - width)
    return tuple(replace(one, width=max(1, one.width - over)) if one.key == "name" else one for one in columns)


def _stretched(columns: tuple[Column, ...], room: int) -> tuple[Column, ...]:
    """What is left over goes to the last words, where those are shown."""
    if not columns or room <= 0 or columns[-1].is_right or columns[-1].key == "curve":
        return columns
    last = columns[-1]
    return (*columns[:-1], replace(last, width=last.width + room))


def with_one_more(columns: tuple[Column, ...], extra: Column, width: int) -> tuple[Column, ...]:
    """The columns with one more before the last words, which make room for it, or else go."""
    *others, last = columns
    left = last.width - extra.width - GAP
    if left >= last.width // 2 and left >= 8:
        return (*others, extra, replace(last, width=left))
    used = sum(column.width + GAP for column in (*others, extra))
    return (*others, extra) if used <= width else columns


def with_longer_names(columns: tuple[Column, ...], names: Iterable[str], width: int) -> tuple[Column, ...]:
    """The columns with as much as the names need to be read in full of what is left over, or more than enough.

    More than enough has a last column of words that was stretched.
    """
    at = next((at for at, column in enumerate(columns) if column.key == "name"), None)
    if at is None:
        return columns
    column, last = columns[at], columns[-1]
    left = max(0, width - sum(column.width + GAP for column in columns))
    spare = max(0, last.width - _ENOUGH_WORDS) if at < len(columns) - 1 and not last.is_right else 0
    needed = max((cell_len(safe_text(name, 80)) for name in names), default=0)
    more = min(left + spare, min(needed, _LONGEST_NAME) - column.width)
    if more <= 0:
        return columns
    taken = max(0, more - left)
    longer = (*columns[:at], replace(column, width=column.width + more), *columns[at + 1 :])
    return (*longer[:-1], replace(longer[-1], width=last.width - taken)) if taken else longer
