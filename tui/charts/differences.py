"""What of a chart's pane is painted anew: stretches of lines, and the part of a title that is another one."""

from __future__ import annotations

from rich.cells import cell_len

_TITLE_AT = 3  # cells of the border before a title


def stretches(are_like: list[bool]) -> list[tuple[int, int]]:
    """First line, and the one behind the last, of each stretch of lines that are not like before."""
    found: list[tuple[int, int]] = []
    for y, is_like in enumerate(are_like):
        if is_like:
            continue
        if found and found[-1][1] == y:
            found[-1] = (found[-1][0], y + 1)
        else:
            found.append((y, y + 1))
    return found


def title_difference(old: str, new: str) -> tuple[int, int]:
    """First cell of the border, and how many, that a new title changes."""
    same = _length_alike(old, new)
    first = _TITLE_AT + cell_len(new[:same])
    if cell_len(old) != cell_len(new):  # what comes behind it moves
        return first, max(cell_len(old), cell_len(new)) - cell_len(new[:same]) + 2
    behind = _length_alike(old[same:][::-1], new[same:][::-1])
    return first, cell_len(new[same : len(new) - behind])


def _length_alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
