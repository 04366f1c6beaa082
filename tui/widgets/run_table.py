"""The list of runs as a table; rows are changed by their key, so that it never jumps under the cursor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rich.text import Text
from textual.widgets import DataTable

from runs.clock import local_time
from runs.status import SIGNS, State
from runs.summary import RunSummary
from tui.figures import elapsed, num_bytes
from tui.index_feed import Place
from tui.run_words import ordinal, steps_words
from tui.safe_text import safe_text

MOST_ROWS = 500
_BARS = "▁▂▃▄▅▆▇█"
_STATE_STYLES: dict[State, str] = {"running": "green", "finished": "green", "failed": "red", "lost": "red",
                                   "stalled": "yellow", "stopping": "yellow", "pausing": "yellow",
                                   "paused": "yellow"}  # fmt: skip


@dataclass(frozen=True)
class _Column:
    """priority 0 is always shown; those with higher ones go first when it is narrow."""

    key: str
    label: str
    width: int
    priority: int = 0


_COLUMNS = (
    _Column("state", "state", 10),
    _Column("name", "name", 15),
    _Column("preset", "preset", 13, 3),
    _Column("data", "data", 14, 2),
    _Column("step", "step", 13),
    _Column("best", "best", 6),
    _Column("last", "last", 6, 1),
    _Column("time", "time", 7, 1),
    _Column("curve", "val loss", 12, 4),
    _Column("created", "created", 12, 5),
    _Column("size", "size", 7, 6),
    _Column("about", "tags, cause", 14, 3),
)
_WIDE_ABOUT = _Column("about", "tags, cause", 26, 1)  # one of the runs has more to say than fits
_PADDING = 2
_FRAME = 2
_RIGHT = frozenset({"step", "best", "last", "time", "size"})


class RunTable(DataTable[Text]):
    """Shows at most 500 runs; which ones they are is said by the screen."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(cursor_type="row", id=id, classes="pane", zebra_stripes=False)
        self._cells: dict[str, dict[str, str]] = {}
        self._shown_columns: tuple[tuple[str, int], ...] = ()
        self._order: tuple[str, ...] = ()
        self._rows: tuple[RunSummary, ...] = ()
        self._places: Mapping[str, Place] = {}
        self._read_only: frozenset[str] = frozenset()

    @property
    def selected_id(self) -> str | None:
        """The id of the run under the cursor."""
        if not self.row_count or not self.is_valid_row_index(self.cursor_row):
            return None
        return self.coordinate_to_cell_key(self.cursor_coordinate).row_key.value

    def show(
        self, rows: tuple[RunSummary, ...], places: Mapping[str, Place], read_only: frozenset[str] = frozenset()
    ) -> None:
        """Take the runs in the order in which they are to stand; the cursor stays on its run.

        places: of those in the queue, by id. read_only: ids of runs that are not ours to change.
        """
        self._rows = rows = rows[:MOST_ROWS]
        self._places, self._read_only = places, read_only
        cells = {row.id: self._cells_of(row) for row in rows}
        wide = any(len(texts["about"]) > _COLUMNS[-1].width for texts in cells.values())
        columns = _fitting(self.size.width or 80, wide)
        order = tuple(row.id for row in rows)
        if columns != self._shown_columns or not self._is_kept(order):
            self._rebuild(rows, columns, cells)
            return
        wanted = set(order)
        for gone in [id for id in self._order if id not in wanted]:
            self.remove_row(gone)
            del self._cells[gone]
        for row in rows:
            texts = cells[row.id]
            before = self._cells[row.id]
            for key, _ in columns:
                if texts[key] != before[key]:
                    self.update_cell(row.id, key, _styled(row, key, texts[key]))
            self._cells[row.id] = texts
        self._order = order

    def on_resize(self) -> None:
        """Take columns in or out as there is room."""
        self.show(self._rows, self._places, self._read_only)

    def _cells_of(self, row: RunSummary) -> dict[str, str]:
        return cells_of(row, self._places.get(row.id), row.id in self._read_only)

    def _is_kept(self, order: tuple[str, ...]) -> bool:
        """Whether the rows only lose some: then nothing has to be built anew."""
        known = set(order)
        return tuple(id for id in self._order if id in known) == order

    def _rebuild(
        self,
        rows: tuple[RunSummary, ...],
        columns: tuple[tuple[str, int], ...],
        cells: dict[str, dict[str, str]],
    ) -> None:
        selected = self.selected_id
        offset = self.scroll_y
        self.clear(columns=True)
        labels = {column.key: column.label for column in _COLUMNS}
        for key, width in columns:
            label = Text(labels[key], justify="right" if key in _RIGHT else "left")
            self.add_column(label, width=width, key=key)
        self._cells = cells
        for row in rows:
            texts = self._cells[row.id]
            self.add_row(*(_styled(row, key, texts[key]) for key, _ in columns), key=row.id)
        self._shown_columns = columns
        self._order = tuple(row.id for row in rows)
        if selected in self._cells:
            self.move_cursor(row=self._order.index(selected), animate=False, scroll=False)
            self.scroll_to(y=offset, animate=False)


def cells_of(row: RunSummary, place: Place | None = None, is_read_only: bool = False) -> dict[str, str]:
    """A run's cells as safe text. place: of one that waits; its number stands where its steps would."""
    waits = place.reason if place is not None and "in the queue" not in place.reason else ""
    cause = row.root_cause or row.remark
    said = ["⊘ read-only" if is_read_only else "", waits, cause]
    said += [" ".join(f"#{tag}" for tag in row.tags), row.note]
    return {
        "state": f"{SIGNS[row.status.state]} {row.status.state}",
        "name": safe_text(f"⊘ {row.name}" if is_read_only else row.name, 16),
        "preset": safe_text(row.preset, 14),
        "data": safe_text(re.sub(r" \((embedded|hub)\)$", "", row.dataset), 14),  # a hub's name has a slash
        "step": f"{ordinal(place.number)} in queue" if place else steps_words(row.step, row.total_steps).strip(),
        "best": _loss(row.best_loss),
        "last": _loss(row.last_loss),
        "time": elapsed(row.elapsed_s) if row.elapsed_s else "–",
        "curve": spark(row.losses, 12),
        "created": local_time(row.created, "%d %b %H:%M") if row.created else "",
        "size": "" if row.num_bytes is None else num_bytes(row.num_bytes),
        "about": safe_text("  ".join(part for part in said if part), 200),
    }


def spark(values: tuple[float, ...], width: int) -> str:
    """A curve of one line: high is bad, low is good."""
    if len(values) < 2:
        return ""
    groups = min(width, len(values))
    means = []
    for index in range(groups):
        part = values[index * len(values) // groups : (index + 1) * len(values) // groups]
        means.append(sum(part) / len(part))
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


def _fitting(width: int, has_much_to_say: bool) -> tuple[tuple[str, int], ...]:
    """The columns that have room, the most important taken first; what is left over goes to the last words.

    has_much_to_say: the last words get room to be read, at the cost of other columns.
    """
    all_columns = (*_COLUMNS[:-1], _WIDE_ABOUT) if has_much_to_say else _COLUMNS
    room = width - _FRAME
    taken: set[str] = set()
    for column in sorted(all_columns, key=lambda column: column.priority):
        if column.width + _PADDING <= room or column.priority == 0:
            taken.add(column.key)
            room -= column.width + _PADDING
    widths = [(column.key, column.width) for column in all_columns if column.key in taken]
    if widths[-1][0] == "about" and room > 0:
        widths[-1] = ("about", widths[-1][1] + room)
    return tuple(widths)


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _styled(row: RunSummary, key: str, text: str) -> Text:
    style = ""
    if key == "state":
        style = _STATE_STYLES.get(row.status.state, "")
    elif key in ("preset", "data", "created", "size", "curve"):
        style = "dim"
    elif key == "about" and row.root_cause:
        style = "red"
    justify: Literal["left", "right"] = "right" if key in _RIGHT else "left"
    return Text(safe_text(text), style=style, justify=justify, no_wrap=True, overflow="ellipsis")
