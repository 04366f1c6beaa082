"""What the tables of Compare say: a comparison of runs as rows and cells, every text of them made safe."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from presets.fields import Value
from runs.compare import ComparedRun, Comparison, ProbeCell, ProbeRow
from runs.status import LIVE_STATES, SIGNS
from tui.figure_words import figure_words, unit_words, value_words
from tui.metric_words import metric_value
from tui.run_words import steps_words
from tui.safe_text import safe_text
from tui.table_rows import Cell, Head, Row

if TYPE_CHECKING:
    from rich.style import Style

LETTERS = "ABCDEFGHIJKL"
"""By which a run is known on its curve, without colour too."""

_NAME = 24


def heads_of(runs: Sequence[ComparedRun], colours: Sequence[Style] = ()) -> tuple[Head, ...]:
    """`A warm-otter`, in the colour of its curve."""
    return tuple(
        Head(name_of(runs, place), colours[place % len(colours)] if colours else None)
        for place in range(len(runs))
    )


def plain_heads(words: Sequence[str]) -> tuple[Head, ...]:
    """Heads that are no runs."""
    return tuple(Head(safe_text(word, 60)) for word in words)


def table_text(heads: Sequence[Head], rows: Sequence[Row]) -> str:
    """A table with tabs between its columns, for a spreadsheet."""
    lines = ["\t".join(("", *(head.text for head in heads)))]
    lines += ["\t".join((row.label, *(cell.text for cell in row.cells))) for row in rows]
    return "\n".join(lines)


def note_lines(hint: str, notes: Sequence[str], width: int) -> tuple[str, str]:
    """How to choose, in one line, and what cannot be compared, in two; what does not fit ends with a sign."""
    room = max(20, width)
    wrapped = textwrap.wrap(safe_text("! " + " · ".join(notes), 900), room, max_lines=2, placeholder=" …")
    return textwrap.shorten(hint, room, placeholder=" …"), "\n".join(wrapped) if notes else ""


def row_words(heads: Sequence[Head], row: Row) -> str:
    """A row in one line, whole: what its columns had to cut is read here."""
    letters = [head.text.partition(" ")[0] for head in heads]
    cells = " · ".join(f"{letter} {cell.text}" for letter, cell in zip(letters, row.cells, strict=False))
    return f"{row.label}: {cells}"


def name_of(runs: Sequence[ComparedRun], place: int) -> str:
    """The letter and the name of a run."""
    return f"{LETTERS[place]} {safe_text(runs[place].name, _NAME)}"


def run_rows(
    comparison: Comparison,
    values: Sequence[float | None],
    hidden: frozenset[str],
    colours: Sequence[Style] = (),
) -> tuple[Row, ...]:
    """One row a run. values: of the metric in view, at the crosshair or the newest. hidden: whose curves are not
    drawn."""
    rows: list[Row] = []
    for place, run in enumerate(comparison.runs):
        value = values[place] if place < len(values) else None
        is_hidden = run.id in hidden
        cells = (
            Cell(f"{SIGNS[run.state]} {run.state}"),
            Cell(steps_words(run.step, run.total_steps if run.state in LIVE_STATES else 0)),
            Cell("hidden" if is_hidden else metric_value(value), "faint" if is_hidden else ""),
        )
        rows.append(Row(run.id, name_of(comparison.runs, place), cells, colour=_colour(colours, place)))
    return tuple(rows)


def run_words(comparison: Comparison, id: str) -> str:
    """Which run that is, where names are alike: its id, preset and data, and why it ended so."""
    run = next((run for run in comparison.runs if run.id == id), None)
    if run is None:
        return ""
    parts = (run.id, f"preset {run.preset}" if run.preset else "", run.dataset, run.reason)
    return " · ".join(safe_text(part, 200) for part in parts if part)


def figure_table(comparison: Comparison) -> tuple[Row, ...]:
    """The final figures; ★ and bold is the best of a row, and what reads as it does; none where all read alike."""
    rows: list[Row] = []
    for row in comparison.figures:
        words = [figure_words(value, row.unit) for value in row.values]
        known = {text for text, value in zip(words, row.values, strict=True) if value is not None}
        best = {words[place] for place in row.best} if len(known) > 1 else set()
        cells = tuple(
            Cell(f"★ {text}", "best") if text in best else Cell(text, "faint" if value is None else "")
            for text, value in zip(words, row.values, strict=True)
        )
        rows.append(Row(row.name, safe_text(row.label + unit_words(row.unit), 60), cells))
    return tuple(rows)


def setting_rows(comparison: Comparison, everything: bool, wanted: str = "") -> tuple[Row, ...]:
    """Only the settings in which the runs differ, or all of them under their sections, those that differ with a ≠.

    wanted: words that path or label must hold.
    """
    words = wanted.lower().split()
    rows: list[Row] = []
    section = ""
    for row in comparison.settings:
        text = f"{row.path} {row.label}".lower()
        if not (everything or row.differs) or not all(word in text for word in words):
            continue
        if everything and row.section != section:
            section = row.section
            rows.append(Row(f"[{section}]", section, is_head=True))
        sign = "≠ " if everything and row.differs else ""
        unit = f" ({row.unit})" if row.unit else ""
        mark = "" if row.differs else "faint"
        cells = tuple(Cell(words, mark) for words in _values(row.values))  # type: ignore[arg-type]
        rows.append(Row(row.path, f"{sign}{row.path}{unit}", cells))
    return tuple(rows)


def _values(values: Sequence[Value | None]) -> list[str]:
    """Each as it is; of lists that differ what not all have, or their common beginning is all that one sees."""
    lists = [value for value in values if isinstance(value, tuple)]
    shared = set(lists[0]).intersection(*lists[1:]) if len(lists) > 1 and len(set(lists)) > 1 else set()
    return [
        value_words(("…", *(one for one in value if one not in shared)))
        if isinstance(value, tuple) and shared
        else value_words(value)
        for value in values
    ]


def probe_table(probes: Sequence[ProbeRow], most: int) -> tuple[Row, ...]:
    """A heading for each sentence, then as many of the likeliest words of each run as `most`."""
    rows: list[Row] = []
    for number, row in enumerate(probes):
        num_masks = sum(other.text == row.text for other in probes)
        mask = f" · mask {row.mask + 1}" if num_masks > 1 else ""
        rows.append(Row(f"{number}", f"{safe_text(row.text, 200)}{mask}", is_head=True))
        if any(cell and cell.generated for cell in row.cells):
            rows.append(Row(f"{number} generated", "goes on", tuple(_generated(cell) for cell in row.cells)))
        depth = max((len(cell.candidates) for cell in row.cells if cell), default=0)
        if any(cell and cell.expected for cell in row.cells):
            rows.append(Row(f"{number} rank", "expected", tuple(_rank(cell) for cell in row.cells)))
        for rank in range(min(most, depth)):
            cells = tuple(_candidate(cell, rank) for cell in row.cells)
            rows.append(Row(f"{number} {rank}", f"{rank + 1}", cells))
    return tuple(rows)


def _colour(colours: Sequence[Style], place: int) -> Style | None:
    return colours[place % len(colours)] if colours else None


def _candidate(cell: ProbeCell | None, rank: int) -> Cell:
    if cell is None:
        return Cell("not asked" if rank == 0 else "", "faint")
    if rank >= len(cell.candidates):
        return Cell("")
    candidate = cell.candidates[rank]
    return Cell(f"{safe_text(candidate.token, 24)} {100 * candidate.probability:.1f} %")


def _rank(cell: ProbeCell | None) -> Cell:
    """`states #1 92.3 %`: the word that belongs there, its rank over the vocabulary and its probability."""
    if cell is None or cell.expected is None:
        return Cell("-", "faint")
    expected = cell.expected
    if expected.rank < 1:
        return Cell(f"{safe_text(expected.word, 24)} unknown", "faint")
    words = f"{safe_text(expected.word, 24)} #{expected.rank:,} {100 * expected.probability:.1f} %"
    return Cell(words, "best" if expected.rank == 1 else "")


def _generated(cell: ProbeCell | None) -> Cell:
    return Cell("not asked", "faint") if cell is None else Cell(safe_text(cell.generated.strip(), 400))
