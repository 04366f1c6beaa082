"""A canvas of braille dots: layers of columns, each a number whose bits are its dots, joined into rows of cells.

Everything that is done per cell is done on whole rows, as bytes and as large numbers, so that a picture costs
no more for many points than for few.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.safe_text import safe_text

DOTS_ACROSS, DOTS_DOWN = 2, 4
_WIDE = "\ue000"  # the second cell of a wide character; of no writing, and none reads it
_NOTHING = "\x01"
_RUNS = re.compile(r"(.)\1*", re.DOTALL)
_TONE = (0x5555, 0xAAAA)  # every other dot, shifted from column to column
_HAS_DOTS = bytes([0] + [255] * 255)


def _braille() -> dict[int, str]:
    """Which character has the dots of a byte: its high half is the left column from the top, its low the right."""
    left, right = (0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08)
    table = {}
    for dots in range(256):
        code = sum(left[bit] for bit in range(4) if dots >> 4 & 1 << bit)
        code += sum(right[bit] for bit in range(4) if dots & 1 << bit)
        table[dots] = chr(0x2800 + code) if code else _NOTHING
    return table


def _ascii() -> dict[int, str]:
    """The nearest of the characters that every terminal has."""
    table = {}
    for dots in range(256):
        rows = (dots >> 4 | dots) & 15
        top, bottom = bool(rows & 0b1100), bool(rows & 0b0011)
        if not rows:
            table[dots] = _NOTHING
        elif bin(rows).count("1") >= 3:
            table[dots] = "|"
        elif top and bottom:
            table[dots] = "-" if rows == 0b0110 else ":"
        else:
            table[dots] = "'" if rows == 0b1000 else "-" if rows in (0b0100, 0b0010, 0b1100) else "."
    return table


BRAILLE, ASCII = _braille(), _ascii()


def bits(low: int, high: int) -> int:
    """The dots from low to high, both among them, counted from the bottom."""
    return ((1 << (high - low + 1)) - 1) << low


def tone(columns: list[int]) -> list[int]:
    """The same areas with every other dot, so that a line over them stands out."""
    height = max((column.bit_length() for column in columns), default=0)
    patterns = [int.from_bytes(pattern.to_bytes(2, "big") * (height // 16 + 1), "big") for pattern in _TONE]
    return [column & patterns[index % 2] for index, column in enumerate(columns)]


@dataclass(frozen=True, slots=True)
class Row:
    """A finished line: its characters, which style each has (as a character's code), and both as a strip."""

    characters: str
    styles: str
    strip: Strip

    def is_like(self, other: Row) -> bool:
        """The same characters stand there in the same styles of a table."""
        return self.characters == other.characters and self.styles == other.styles


class Canvas:
    """`width` cells across, `height` down. Styles are numbers below 256; 0 is that of nothing."""

    def __init__(self, width: int, height: int, only_ascii: bool = False) -> None:
        self.width, self.height = width, height
        self.num_columns, self.num_dots = width * DOTS_ACROSS, height * DOTS_DOWN
        self._table = ASCII if only_ascii else BRAILLE
        self._layers: list[tuple[list[bytes], int, bool]] = []
        self._behind: dict[int, tuple[str, int]] = {}
        self._texts: dict[int, list[tuple[int, str, int]]] = {}

    def add(self, columns: list[int], style: int, covers: bool = True) -> None:
        """Lay a layer over those that are there. covers: where it has dots, theirs are hidden in the same cell."""
        self._layers.append((self._rows_of(columns), style, covers))

    def behind(self, row: int, character: str, style: int) -> None:
        """A line of that character where nothing else is."""
        self._behind[row] = (character, style)

    def text(self, row: int, column: int, text: str, style: int) -> None:
        """Words over everything, cut at the canvas's ends."""
        if 0 <= row < self.height:
            self._texts.setdefault(row, []).append((column, text, style))

    def rows(self) -> list[tuple[str, str]]:
        """Characters and styles of each row, from the top."""
        return [self._row(index) for index in range(self.height)]

    def _rows_of(self, columns: list[int]) -> list[bytes]:
        """From columns of dots to rows of bytes, each with the dots of one cell."""
        height = self.height
        nothing = bytes(height)
        pieces = []
        for left, right in zip(columns[::2], columns[1::2], strict=True):
            if left or right:
                digits = bytearray(2 * height)
                digits[0::2] = b"%0*x" % (height, left)
                digits[1::2] = b"%0*x" % (height, right)
                pieces.append(bytes.fromhex(digits.decode()))
            else:
                pieces.append(nothing)
        cells = b"".join(pieces)
        return [cells[row::height] for row in range(height)]

    def _row(self, index: int) -> tuple[str, str]:
        width = self.width
        dots = owner = 0
        for rows, style, covers in self._layers:
            row = rows[index]
            has_dots = row.translate(_HAS_DOTS)
            mask = int.from_bytes(has_dots, "big")
            if not mask:
                continue
            own = int.from_bytes(row, "big")
            dots = dots & ~mask | own if covers else dots | own
            owner = owner & ~mask | int.from_bytes(bytes((style,)) * width, "big") & mask
        characters = dots.to_bytes(width, "big").decode("latin-1").translate(self._table)
        styles = owner.to_bytes(width, "big").decode("latin-1")
        if index in self._behind:
            character, style = self._behind[index]
            characters, styles = characters.replace(_NOTHING, character), styles.replace("\0", chr(style))
        else:
            characters = characters.replace(_NOTHING, " ")
        for column, text, style in self._texts.get(index, ()):
            characters, styles = laid_over(characters, styles, column, text, style)
        return characters, styles


def laid_over(characters: str, styles: str, column: int, text: str, style: int) -> tuple[str, str]:
    """A row with words over it. Characters that take two cells do, and those that take none are left out."""
    cells = in_cells(text)
    if column < 0:
        cells, column = cells[-column:], 0
    cells = cells[: len(characters) - column]
    if not cells:
        return characters, styles
    end = column + len(cells)
    return (
        characters[:column] + cells + characters[end:],
        styles[:column] + chr(style) * len(cells) + styles[end:],
    )


def in_cells(text: str) -> str:
    """A text with one character for each cell."""
    if text.isascii():
        return text
    widths = ((character, cell_len(character)) for character in text)
    return "".join(character + _WIDE * (width - 1) for character, width in widths if width and character != _WIDE)


def finished(characters: str, styles: str, table: Sequence[Style]) -> Row:
    """A row of cells as a strip."""
    segments = []
    has_wide = _WIDE in characters
    text = safe_text(characters, len(characters))  # as many as before: none of them takes no cell
    for run in _RUNS.finditer(styles):
        piece = text[run.start() : run.end()]
        segments.append(Segment(_whole(piece) if has_wide else piece, table[ord(run[1])]))
    return Row(characters, styles, Strip(segments, len(characters)))


def _whole(text: str) -> str:
    """A piece of a row as text; half of a wide character that was cut off is a space."""
    if text.startswith(_WIDE):
        text = " " + text[1:]
    if cell_len(text[-1]) > 1:
        text = text[:-1] + " "
    return text.replace(_WIDE, "")
