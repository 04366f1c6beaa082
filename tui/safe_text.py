"""Makes text from outside harmless: no control byte, no invisible mark and no markup gets to the terminal.

Textual and Rich pass ESC, C1 bytes and bidirectional marks on to the terminal even with `markup=False`, so
every log line, dataset text, run name, GPU name and traceback passes here first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.content import Content

FAINT = "$foreground 55%"  # Content takes no `auto` colours, which $text-muted and $text-disabled are
MUTED = "$foreground 70%"
TAB = "    "
ELLIPSIS = "…"
_REPLACEMENT = "�"


def _make_table(keep: str) -> dict[int, str]:
    table = {code: chr(0x2400 + code) for code in range(0x20)}  # Unicode's own pictures of C0: ␀ … ␟
    table[0x7F] = "␡"
    for code in range(0x80, 0xA0):  # C1: one byte that does what ESC and a letter do
        table[code] = f"<{code:02x}>"
    for code in (
        0x00AD, 0x034F, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070),
        0xFEFF, *range(0xFFF9, 0xFFFC), *range(0x13430, 0x13456), *range(0x1BCA0, 0x1BCA4),
        *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE0080),
    ):  # fmt: skip
        table[code] = f"<{code:04x}>"  # zero-width, line and paragraph separators, bidirectional marks, tags
    for code in range(0xD800, 0xE000):  # lone surrogates cannot be written to a terminal at all
        table[code] = _REPLACEMENT
    table[ord("\t")] = TAB
    for character in keep:
        del table[ord(character)]
    return table


_ONE_LINE = _make_table(keep="")
_MANY_LINES = _make_table(keep="\n")


def safe_text(text: str, limit: int = 2000) -> str:
    """One line of text that can do nothing but be read; `…` stands for what is past `limit` characters.

    Control characters become visible signs (a line feed is `␊`), tabs become spaces.
    """
    return _cut(text[: limit + 1].translate(_ONE_LINE), limit)


def safe_lines(text: str, limit: int = 20_000) -> str:
    """As `safe_text`, with line feeds kept; for tracebacks, notes and dialogs."""
    unified = text[: limit + 1].replace("\r\n", "\n")
    return _cut(unified.translate(_MANY_LINES), limit)


def plain(text: str, limit: int = 2000, style: str = "") -> Content:
    """Safe text as Content, so that brackets in it are never read as markup."""
    from textual.content import Content  # the command line needs `safe_text` alone, and textual takes 0.3 s

    return Content.styled(safe_text(text, limit), style) if style else Content(safe_text(text, limit))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS
