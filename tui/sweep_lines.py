"""The table of a sweep as lines of a width: the columns that fit, figures to the right, `…` where one is cut."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from runs.sweep import SweepTable
from tui.safe_text import ELLIPSIS, safe_text
from tui.sweep_words import cells, headings

_GAP = 2
_WIDEST = 22
_MARKED = "•"


@dataclass(frozen=True)
class SweepLine:
    """A run as it is drawn."""

    text: str
    is_best: bool
    has_failed: bool


def sweep_lines(table: SweepTable, marked: Container[str], width: int) -> tuple[str, dict[str, SweepLine]]:
    """The heads of the columns, and each run's line by its id. marked: ids of the runs with a dot before them."""
    rows = [cells(table, row)[:-1] for row in table.rows]  # a run's name says its values once more
    heads = headings(table)[:-1]
    columns = fitting_columns([heads, *rows], width)
    heads, *rows = [tuple(line[at] for at in columns) for line in (heads, *rows)]
    widths = _widths([heads, *rows])
    heads = tuple(
        head.rjust(size) if all(_is_number(row[at]) for row in rows) else head
        for at, (head, size) in enumerate(zip(heads, widths, strict=True))
    )
    lines = {}
    for row, texts in zip(table.rows, rows, strict=True):
        mark = _MARKED if row.run.id in marked else " "
        text = _line(texts, widths, width, mark)
        lines[row.run.id] = SweepLine(text, row.is_best, row.run.status.state == "failed")
    return _line(heads, widths, width, " "), lines


def fitting_columns(lines: Sequence[Sequence[str]], width: int) -> tuple[int, ...]:
    """Which columns are shown in so many cells: without the ones that are missed least, where not all fit."""
    last, widths = len(lines[0]) - 1, _widths(lines)
    shown = list(range(last + 1))
    for spared in (2, 3, last, last - 1):  # best at, last loss, time, step
        if sum(widths[at] + _GAP for at in shown) <= width:
            break
        shown.remove(spared)
    return tuple(shown)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [min(max(map(cell_len, column)), _WIDEST) for column in zip(*lines, strict=True)]


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell in ("–", "?")


def _line(texts: Sequence[str], widths: Sequence[int], width: int, mark: str) -> str:
    """Cells in columns, figures to the right."""
    parts = []
    for text, size in zip(texts, widths, strict=True):
        cell = safe_text(text, size)
        room = " " * (size - cell_len(cell))
        parts.append(room + cell if _is_number(cell) else cell + room)
    line = f"{mark} " + (" " * _GAP).join(parts).rstrip()
    return line if cell_len(line) <= width else set_cell_size(line, max(width - 1, 1)) + ELLIPSIS
