"""How a screen looks, as text: its lines, and the style of each stretch of them, in a file that a person can read.

Styles are letters, explained below the lines; `a12b3` is twelve cells of style a, then three of b.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from itertools import groupby

from rich.style import Style
from textual.app import App

from tests.tui.pilots import shown_strips

SIZES = ((80, 24), (120, 40), (200, 60))
LOOKS = ("tinytrain-dark", "tinytrain-light", "no-colour")
_LETTERS = string.ascii_letters


def look_of(app: App[None], hidden: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The lines of the screen as it is, and those that describe its styles.

    hidden: texts that are others each time, such as a folder's name; in their places stand dots.
    """
    lines: list[str] = []
    runs: list[str] = []
    letters: dict[str, str] = {}
    for strip in shown_strips(app):
        text = "".join(segment.text for segment in strip)
        for one in hidden:
            text = text.replace(one, "·" * len(one))
        lines.append(f"|{text.rstrip()}")
        cells = [(_words(segment.style), segment.cell_length) for segment in strip if not segment.control]
        described = ""
        for words, same in groupby(cells, key=lambda cell: cell[0]):
            letter = letters.setdefault(words, _letter(len(letters)))
            described += f"{letter}{sum(length for _, length in same)}"
        runs.append(described)
    return lines, [*_folded(runs), *(f"{letter} = {words}" for words, letter in letters.items())]


def _folded(runs: list[str]) -> list[str]:
    """Lines with the same styles one under the other are told once."""
    return [run + (f" ×{number}" if (number := sum(1 for _ in same)) > 1 else "") for run, same in groupby(runs)]


def _letter(number: int) -> str:
    if number < len(_LETTERS):
        return _LETTERS[number]
    return f"({_LETTERS[number // len(_LETTERS) - 1]}{_LETTERS[number % len(_LETTERS)]})"


def _words(style: Style | None) -> str:
    """Such as `bold #d7dde4 on #13161b`; links and what they do are no look."""
    return str(style.without_color + Style(color=style.color, bgcolor=style.bgcolor)) if style else "none"
