"""Draws the lines of the list of runs, and keeps what it has drawn for as long as the run is the same."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from runs.run_summary import RunSummary
from runs.status import State
from tui.places import Place
from tui.run_cells import cell_of, fit, heading_words
from tui.run_columns import GAP, Column
from tui.run_listing import Heading, Listing
from tui.safe_text import safe_text

GUTTER = 2
"""Cells before the first column, for the mark."""

_MOST_KEPT = 400  # a few screens; with more, a walk through thousands of runs would fill the memory
_STATE_CLASSES: dict[State, str] = {"running": "good", "finished": "good", "failed": "bad", "lost": "bad",
                                    "stalled": "warn", "stopping": "warn", "pausing": "warn",
                                    "paused": "warn"}  # fmt: skip
_FAINT = frozenset({"preset", "data", "created", "size", "curve"})


def column_at(columns: tuple[Column, ...], x: int) -> Column | None:
    """The column that stands in a cell of the line, the room behind it included."""
    left = GUTTER
    for column in columns:
        if left <= x < left + column.width + GAP:
            return column
        left += column.width + GAP
    return None


class RunPainter:
    """Makes strips of runs and headings; one strip a run is made once."""

    def __init__(self, style: Callable[[str], Style]) -> None:
        """style: of a class of the table, such as "good"."""
        self._style = style
        self._columns: tuple[Column, ...] = ()
        self._metrics: Collection[str] = ()
        self._kept: dict[tuple[object, ...], tuple[RunSummary, Strip]] = {}

    def choose(self, columns: tuple[Column, ...], metrics: Collection[str]) -> None:
        """Draw these columns from now on. metrics: names that some run has recorded."""
        if (columns, metrics) != (self._columns, self._metrics):
            self._kept.clear()
        self._columns, self._metrics = columns, metrics

    def forget(self) -> None:
        """Draw everything anew: colours or the time have changed."""
        self._kept.clear()

    def head(self, listing: Listing, width: int, style: Style) -> Strip:
        """The names of the columns, with an arrow at what they are sorted by."""
        parts = [" " * GUTTER]
        for column in self._columns:
            is_sorted = column.sort == listing.sort and bool(column.sort)
            label = f"{column.label}{'↓' if listing.descending else '↑'}" if is_sorted else column.label
            parts.append(fit(label, column.width, column.is_right) + " " * GAP)
        return Strip([Segment(safe_text("".join(parts)), style)]).adjust_cell_length(width, style)

    def heading(self, line: Heading, width: int, style: Style) -> Strip:
        """What stands over a group."""
        return Strip([Segment(safe_text(fit(heading_words(line), width, is_right=False)), style)], width)

    def run(
        self,
        row: RunSummary,
        place: Place | None,
        width: int,
        base: Style,
        *,
        is_marked: bool,
        is_under_cursor: bool,
    ) -> Strip:
        """A run's line. base: of the line, which is another one under the cursor. width: in cells."""
        key = (row.id, is_under_cursor, is_marked, place, width)
        kept = self._kept.get(key)
        if kept is None or kept[0] is not row:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            kept = row, self._draw(row, place, width, base, is_marked=is_marked, is_under_cursor=is_under_cursor)
            self._kept[key] = kept
        return kept[1]

    def _draw(
        self,
        row: RunSummary,
        place: Place | None,
        width: int,
        base: Style,
        *,
        is_marked: bool,
        is_under_cursor: bool,
    ) -> Strip:
        sign = "◆" if is_marked else "★" if row.pinned else " "
        segments = [Segment(f"{sign} ", base + self._style("marked"))]
        for column in self._columns:
            text = cell_of(row, column.key, place, self._metrics)
            style = base if is_under_cursor else base + self._cell_style(row, column.key)
            segments.append(Segment(safe_text(fit(text, column.width, column.is_right)), style))
            segments.append(Segment(" " * GAP, base))
        return Strip(segments).adjust_cell_length(width, base)

    def _cell_style(self, row: RunSummary, key: str) -> Style:
        if key == "state":
            name = _STATE_CLASSES.get(row.status.state, "")
        elif key in _FAINT:
            name = "faint"
        else:
            name = "bad" if key in ("about", "cause") and row.root_cause else ""
        return self._style(name) if name else Style.null()
