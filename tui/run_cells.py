"""What stands in the cells of the list of runs, as safe text of a certain width."""

from __future__ import annotations

import math
from collections.abc import Collection

from rich.cells import cell_len, set_cell_size

from runs.clock import local_time
from runs.run_summary import RunSummary
from runs.status import SIGNS
from tui.figures import elapsed, num_bytes
from tui.places import Place
from tui.run_fields import BUILT_IN, field_named
from tui.run_listing import Heading
from tui.run_words import ordinal, steps_words
from tui.safe_text import safe_text

_BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 12


def cell_of(row: RunSummary, key: str, place: Place | None, metrics: Collection[str] = ()) -> str:
    """What stands in a cell, as safe text. place: of a run that waits; its number stands where its steps would."""
    if key == "state":
        return f"{SIGNS[row.status.state]} {row.status.state}"
    if key == "name":
        return safe_text(f"⊘ {row.name}" if row.read_only else row.name, 80)
    if key == "step":
        return f"{ordinal(place.number)} in queue" if place else steps_words(row.step, row.total_steps).strip()
    if key in ("best", "last"):
        loss = row.best_loss if key == "best" else row.last_loss
        return "–" if loss is None else f"{loss:.3f}"
    if key == "time":
        return elapsed(row.elapsed_s) if row.elapsed_s else "–"
    if key == "curve":
        return spark(row.losses, CURVE_WIDTH)
    if key == "created":
        return local_time(row.created, "%d %b %H:%M") if row.created else ""
    if key == "size":
        return "" if row.num_bytes is None else num_bytes(row.num_bytes)
    if key == "about":
        return about_of(row, place)
    field = BUILT_IN.get(key) or field_named(key, metrics)
    return "" if field is None else safe_text(field.text(row), 200)


def about_of(row: RunSummary, place: Place | None = None) -> str:
    """The last words on a run, as safe text: what it waits for, why it failed, its tags, its note."""
    waits = place.reason if place is not None and "in the queue" not in place.reason else ""
    said = ["⊘ read-only" if row.read_only else "", waits, row.root_cause or row.remark]
    said += [" ".join(f"#{tag}" for tag in row.tags), row.note, "archived" if row.archived else ""]
    return safe_text("  ".join(part for part in said if part), 200)


def spark(values: tuple[float, ...], width: int) -> str:
    """A curve of one line: high is bad, low is good. Losses that are not finite are left out."""
    values = tuple(value for value in values if math.isfinite(value))
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


def heading_words(heading: Heading) -> str:
    """A group in one line: how many runs, how they do, what they take of the disk."""
    rows = heading.rows
    parts = [f"{len(rows):,} run{'' if len(rows) == 1 else 's'}"]
    if live := sum(row.status.is_live for row in rows):
        parts.append(f"{live:,} live")
    if failed := sum(row.status.state == "failed" for row in rows):
        parts.append(f"{failed:,} failed")
    if losses := [row.best_loss for row in rows if row.best_loss is not None]:
        parts.append(f"best {min(losses):.3f}")
    if sizes := [row.num_bytes for row in rows if row.num_bytes is not None]:
        parts.append(num_bytes(sum(sizes)))
    return f"{'▸' if heading.is_folded else '▾'} {safe_text(heading.title, 60)}   {' · '.join(parts)}"


def fit(text: str, width: int, is_right: bool) -> str:
    """Exactly so many cells; what is too long ends with `…`."""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        text = set_cell_size(text, max(0, width - 1)) + "…"
        return text if width > 0 else ""
    return " " * (width - length) + text if is_right else text + " " * (width - length)
