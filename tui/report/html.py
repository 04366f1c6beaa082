"""HTML by construction: a text that is no markup cannot become any, whatever stands in it."""

from __future__ import annotations

from html import escape

from tui.safe_text import safe_lines, safe_text

_VOID = frozenset({"meta", "br", "hr"})


class Html(str):
    """Markup that was made here; every other string is text, and is escaped where it is put in."""

    __slots__ = ()


def text(words: str, limit: int = 2000) -> Html:
    """A text as markup: control characters and invisible marks become visible, `<&>"'` are escaped."""
    return words if isinstance(words, Html) else Html(escape(safe_text(words, limit), quote=True))


def lines(words: str, limit: int = 100_000) -> Html:
    """As `text`, with its line feeds kept; for `pre`."""
    return Html(escape(safe_lines(words, limit), quote=True))


def join(*parts: str) -> Html:
    """Parts one after the other; those that are no markup are escaped."""
    return Html("".join(text(part) for part in parts))


def element(name: str, /, *parts: str, **attributes: str | float) -> Html:
    """An element around its parts. In names of attributes `_` stands for `-`, and is dropped at the end."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_figure(value))}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*parts)}</{name}>")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], class_: str = "") -> Html:
    """A table in a box that scrolls sideways; the first cell of a row is its head."""
    top = element("thead", element("tr", *(element("th", cell, scope="col") for cell in head)))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:]))
        for row in rows
    ]
    whole = element("table", *([top] if any(head) else []), element("tbody", *body), class_=class_ or "plain")
    return element("div", whole, class_="wide")


def section(title: str, *parts: str) -> Html:
    """A part of the page under its heading."""
    return element("section", element("h2", title), *parts)


def details(title: str, *parts: str) -> Html:
    """What is folded away until somebody asks for it; opens without a script."""
    return element("details", element("summary", title), *parts)


def _figure(value: str | float) -> str:
    """Attributes of pictures: a hundredth of a pixel is enough."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
