"""A row of blocks, one for each stretch of a series: how a figure went, in the height of a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import App

from tui.ascii_signs import LEVELS

_BLOCKS = "▁▂▃▄▅▆▇█"
GAP = " "


def sparkline(
    values: Sequence[float | None], width: int, low: float, high: float, *, only_ascii: bool = False
) -> str:
    """`width` cells; each the highest value of its stretch, from `low` (the lowest block) to `high`.

    None is a gap. Fewer values than cells stand at the right end, one a cell.
    """
    if not values or width < 1:
        return GAP * max(0, width)
    blocks = LEVELS if only_ascii else _BLOCKS
    num = min(width, len(values))
    cells = []
    for cell in range(num):
        stretch = values[cell * len(values) // num : (cell + 1) * len(values) // num]
        known = [value for value in stretch if value is not None and value == value]
        cells.append(_block(max(known), low, high, blocks) if known else GAP)
    return "".join(cells).rjust(width)


def _block(value: float, low: float, high: float, blocks: str) -> str:
    share = (value - low) / (high - low) if high > low else 0.0
    return blocks[max(0, min(len(blocks) - 1, int(share * len(blocks))))]


def draws_ascii(app: App[Any]) -> bool:
    """Whether the person's settings ask for characters that every terminal has."""
    settings = getattr(app, "settings", None)
    return settings is not None and bool(settings.ascii)
