"""Makes text from outside harmless: no control byte, no invisible mark and no markup gets to the terminal.

Textual and Rich pass ESC, C1 bytes and bidirectional marks on to the terminal even with `markup=False`, so
every log line, dataset text, run name, GPU name and traceback passes here first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.content import Content

FAINT = "$foreground 65%"  # Content takes no `auto` colours, which $text-muted and $text-disabled are
MUTED = "$foreground 75%"
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


def _escaped(code: int) -> str:
    """As JSON writes it; what is past 0xFFFF as the two halves of UTF-16."""
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    units = chr(code).encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_ONE_LINE = _make_table(keep="")
_MANY_LINES = _make_table(keep="\n")
_IN_JSON = {code: _escaped(code) for code in _ONE_LINE if code >= 0x7F}  # below it, JSON has its own escapes
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U000e0100-\U000e01ef]"
)
_MANY_MARKS = re.compile(f"({_MARK}{{4}}){_MARK}+")  # no script puts more of them over one letter


def safe_text(text: str, limit: int = 2000) -> str:
    """One line of text that can do nothing but be read; `…` stands for what is past `limit` characters.

    Control characters become visible signs (a line feed is `␊`), tabs become spaces.
    """
    return _cut(_few_marks(text[: limit + 1].translate(_ONE_LINE)), limit)


def both_ends(text: str, limit: int) -> str:
    """As `safe_text`, with the `…` in the middle: of long names that are alike, most differ at the end."""
    text = safe_text(text)
    if len(text) <= limit:
        return text
    tail = max(limit - 1, 0) // 3
    return text[: max(limit - 1 - tail, 0)] + ELLIPSIS + (text[-tail:] if tail else "")


def safe_lines(text: str, limit: int = 20_000) -> str:
    """As `safe_text`, with line feeds kept; for tracebacks, notes and dialogs."""
    unified = text[: limit + 1].replace("\r\n", "\n")
    return _cut(_few_marks(unified.translate(_MANY_LINES)), limit)


def safe_json(document: str) -> str:
    """The same JSON, with everything that acts on a terminal as `\\u` escapes; for a document printed as it is."""
    return document if document.isascii() and "\x7f" not in document else document.translate(_IN_JSON)


def plain(text: str, limit: int = 2000, style: str = "") -> Content:
    """Safe text as Content, so that brackets in it are never read as markup."""
    from textual.content import Content  # the command line needs `safe_text` alone, and textual takes 0.3 s

    return Content.styled(safe_text(text, limit), style) if style else Content(safe_text(text, limit))


def _few_marks(text: str) -> str:
    """Cut what is stacked on one letter: a thousand accents reach over many lines, and slow a terminal down."""
    return text if text.isascii() else _MANY_MARKS.sub(rf"\1{_REPLACEMENT}", text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + ELLIPSIS
