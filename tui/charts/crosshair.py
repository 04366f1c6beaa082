"""The crosshair over a finished picture: a line through the chart, and the place it stands at below the axis."""

from __future__ import annotations

from dataclasses import replace

from tui.charts.canvas import finished, laid_over
from tui.charts.frame import place_words
from tui.charts.picture import CURSOR, HAIR, ChartPicture


def with_cursor(picture: ChartPicture, cursor: float | None) -> ChartPicture:
    """The same picture with the crosshair over it, and its place on the axis."""
    frame = picture.frame
    if frame is None or cursor is None or not frame.window[0] <= cursor <= frame.window[1]:
        return picture
    at = frame.left + frame.cell_at(cursor)
    bar = "|" if picture.rows[0].characters.isascii() else "│"
    rows = list(picture.rows)
    for index, row in enumerate(picture.rows[: frame.plot_height]):
        found, style = (bar, HAIR) if _is_between_words(row.characters, at) else (row.characters[at], CURSOR)
        characters = row.characters[:at] + found + row.characters[at + 1 :]
        rows[index] = finished(characters, row.styles[:at] + chr(style) + row.styles[at + 1 :], picture.styles)
    words = f" {place_words(cursor, frame.x)} "
    start = max(0, min(picture.width - len(words), at - len(words) // 2))
    below = rows[frame.plot_height + 1]
    start, words = _over_whole_words(below.characters, start, words)
    rows[-1] = finished(*laid_over(below.characters, below.styles, start, words, CURSOR), picture.styles)
    return replace(picture, rows=tuple(rows))


def _over_whole_words(characters: str, start: int, words: str) -> tuple[int, str]:
    """Where to lay words, with blanks over what they would leave of a word that they cut."""
    left, right = start, start + len(words)
    while left > 0 and " " not in characters[left - 1 : left + 1]:
        left -= 1
    while right < len(characters) and " " not in characters[right - 1 : right + 1]:
        right += 1
    return left, " " * (start - left) + words + " " * (right - start - len(words))


def _is_between_words(characters: str, at: int) -> bool:
    """Nothing stands there but what a line may cross: a guide, which is points where there is only ASCII."""
    beside = characters[at - 1] + characters[at + 1 : at + 2]
    if characters[at] == ".":
        return "." in beside
    return characters[at] == "┈" or (characters[at] == " " and not beside.isalnum())
