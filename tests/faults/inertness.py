"""What of a program's output a terminal would act on, beyond what Textual itself sends to draw a screen."""

from __future__ import annotations

import base64
import re
import unicodedata
from html.parser import HTMLParser

from tests.faults.terminal import Token, tokens

# all that Textual 8.2 was seen to send on every screen; a text from outside can add nothing to it
_MODES = frozenset({"?25", "?7", "?1000", "?1003", "?1004", "?1006", "?1015", "?1049", "?2004", "?2026"})
_QUERIES = frozenset({("?2026", "$", "p"), ("?2048", "$", "p"), (">25", "", "u"), ("<", "", "u")})
_COPIED = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")
_POINTER = re.compile(r"\x1b\]22;[a-z-]+\x07")  # the shape of the mouse pointer
_RENDITION = re.compile(
    r"(?:(?:[0-57]|2[1-57]|3[0-79]|4[0-79]|9[0-7]|10[0-7]|[34]8;5;\d+|[34]8;2;\d+;\d+;\d+)(?:;|$))*"
)
_ELEMENTS = frozenset({
    "html", "head", "meta", "title", "style", "body", "header", "section", "h1", "h2", "h3", "p", "span", "div",
    "b", "br", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "code", "figure",
    "figcaption", "svg", "g", "line", "path", "polygon", "circle", "text",
})  # fmt: skip
_LOADING = frozenset({"href", "src", "srcset", "xlink:href", "action", "formaction", "background", "ping"})
_WIDTH = re.compile(r"width:\d+\.\d\drem")  # all that a style of ours says
# format characters that a reader sees: signs of Arabic, Syriac and Kaithi numbers
_VISIBLE_FORMAT = frozenset({0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x600, 0x606)})


def acts(character: str) -> bool:
    """Whether a terminal, or a reader's eye, is led astray by a character."""
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Cs", "Zl", "Zp") and ord(character) not in _VISIBLE_FORMAT


def offences_on_screen(output: str, columns: int, rows: int) -> list[str]:
    """Everything in a dashboard's output that Textual would not send; a raw byte is a lone surrogate.

    columns, rows: of the terminal; a cursor that is sent elsewhere was sent by somebody else.
    """
    found: list[str] = []
    for token in tokens(output.replace("\r\n", "")):
        if token.kind == "text":
            found += [f"character {ord(c):04x} in {token.text[:60]!r}" for c in token.text if acts(c)]
        elif not _is_textuals(token, columns, rows):
            found.append(f"{token.kind} {token.text[:60]!r}")
    return found


def offences_in_lines(output: str) -> list[str]:
    """Everything in the output of a verb that is no plain text: only line feeds may be there."""
    return [f"character {ord(c):04x} in {output[max(0, at - 30) : at + 30]!r}" for at, c in enumerate(output)
            if c != "\n" and acts(c)]  # fmt: skip


def offences_on_page(html: str) -> list[str]:
    """Everything in a report that a browser would load or run, or that is no element of ours."""
    page = _Page()
    page.feed(html)
    page.close()
    said = "".join(page.words)
    return page.found + [f"character {ord(c):04x} in the text" for c in said if c not in "\n\t" and acts(c)]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count what is not ours."""
        strange = [
            f"<{tag} {name}>"
            for name, value in attrs
            if name in _LOADING
            or name.startswith("on")
            or "url(" in (value or "")
            or (name == "style" and not _WIDTH.fullmatch(value or ""))
        ]
        self.found += strange if tag in _ELEMENTS else [f"<{tag}>", *strange]

    def handle_data(self, data: str) -> None:
        """Words."""
        self.words.append(data)


def _is_textuals(token: Token, columns: int, rows: int) -> bool:
    if token.kind == "string":
        return _POINTER.fullmatch(token.text) is not None or _is_copied_text(token.text)
    if token.kind != "sequence" or not token.text.startswith("\x1b["):
        return False
    if (token.parameters, token.between, token.final) in _QUERIES:
        return True
    if token.between:
        return False
    if token.final == "m":
        return _RENDITION.fullmatch(token.parameters) is not None
    if token.final == "H":
        place = re.fullmatch(r"(\d+);(\d+)", token.parameters)
        return token.parameters == "" or (place is not None and int(place[1]) <= rows and int(place[2]) <= columns)
    return token.final in ("h", "l") and token.parameters in _MODES


def _is_copied_text(string: str) -> bool:
    """Whether it puts a text on the clipboard that does nothing when it is pasted, as `y` does."""
    match = _COPIED.fullmatch(string)
    try:
        copied = base64.b64decode(match[1], validate=True).decode() if match is not None else "\0"
    except ValueError:
        return False
    return not any(acts(character) for character in copied if character not in "\n\t")
