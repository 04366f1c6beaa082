"""Signs, frames and letters in the characters that every terminal has: one cell for each cell.

With `ascii` in the settings all that is drawn passes here, whoever drew it; there is no other place to mind.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

LEVELS = "_.-=+*#@"
"""Of a row of blocks, the lowest first."""

_SIGNS = {
    "…": "~", "·": "-", "•": "*", "–": "-", "—": "-", "−": "-", "‐": "-", "×": "x", "±": "~", "≠": "!", "≤": "<",
    "≥": ">", "≈": "~", "°": "'", "‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "‖": "=",
    "✓": "+", "✗": "x", "⊘": "%", "★": "*", "●": "*", "○": "o", "◌": ".", "◆": "o", "■": "#", "□": "o", "▪": "#",
    "→": ">", "←": "<", "↑": "^", "↓": "v", "▲": "^", "▼": "v", "▶": ">", "◀": "<", "▸": ">", "▾": "v", "▴": "^",
    "◂": "<", "›": ">", "‹": "<", "⟩": ">", "⟨": "<", "⇧": "^", "⇣": "v", "⇥": ">", "⟲": "@", "⏎": "$", "⌫": "<",
    "␣": "_", "␊": "$", "�": "?", "█": "#", "▓": "#", "▒": "=", "░": ".", "▀": "'", "▔": "'", "▌": "|", "▐": "|",
    "┈": ".", "┉": ":", "╌": "-", "╍": "=", "┄": "-", "┅": "=", "━": "-", "═": "=", "╾": "~", "┊": ":", "┆": ":",
    "🔎": "/ ",
}  # fmt: skip


def _table() -> dict[int, str]:
    table = {0x2500 + code: "+" for code in range(0x80)}  # frames: corners and crossings, then what is straight
    table |= dict.fromkeys(map(ord, "─━╴╶╸╺╼"), "-") | dict.fromkeys(map(ord, "│┃╵╷╹╻╽╿║"), "|")
    table |= {0x2581 + level: sign for level, sign in enumerate(LEVELS)}
    table |= dict.fromkeys(map(ord, "▏▎▍▕"), "|") | dict.fromkeys(map(ord, "▊▉▋"), "#")
    table |= {0x2800 + dots: _of_dots(dots) for dots in range(256)}
    return table | {ord(sign): plain for sign, plain in _SIGNS.items()}


def _of_dots(dots: int) -> str:
    """A braille cell: the more dots, the more ink."""
    return " .:-=+*##"[dots.bit_count()]


class _Letters(dict[int, str]):
    """Of what is no sign, the letter without its accent; `?` for what has none, as many as it takes cells."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        width = 1 if code < 0x80 else cell_len(character)
        bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        self[code] = found = bare if len(bare) == width else "?" * width
        return found


_LETTERS = _Letters(_table())


@lru_cache(4096)
def in_ascii(text: str) -> str:
    """The same in ASCII, in as many cells."""
    if text.isascii():
        return text
    parts = []
    for start, end, width in split_graphemes(text)[0]:
        if width:  # what is drawn over another character is left out
            parts.append(text[start:end].translate(_LETTERS)[:width].ljust(width, "?"))
    return "".join(parts)


class OnlyAscii(LineFilter):
    """Lets nothing but ASCII get to the terminal."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, in as many cells."""
        return [one if one.text.isascii() else one._replace(text=in_ascii(one.text)) for one in segments]
