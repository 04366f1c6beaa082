"""Writes to the terminal only the cells that differ from what it shows.

Textual 8.2 paints dirty regions, from the left edge of the widget they are in, whether anything in them changed or
not: a header of two lines that tells another second costs a kilobyte. Over SSH that is most of the traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

_NEAR = 6  # cells that are written again rather than jumped over
_UNKNOWN = "\0"
_OF_ONE_CELL = re.compile("[\0 -~\u2500-\u25fc\u2800-\u28ff]*").fullmatch  # what our screens are made of


class _Cells:
    """Of each cell what stands in it, and in which style.

    The second cell of a wide character is empty, and what takes no cell goes with the one before.
    """

    __slots__ = ("styles", "texts")

    def __init__(self, texts: list[str], styles: list[Style | None]) -> None:
        self.texts, self.styles = texts, styles

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> _Cells:
        """Those of a strip."""
        texts: list[str] = []
        styles: list[Style | None] = []
        for text, style, _ in segments:
            if _OF_ONE_CELL(text):
                texts += text
            else:
                for start, end, width in split_graphemes(text)[0]:
                    if width:
                        texts.append(text[start:end])
                        texts += [""] * (width - 1)
                    elif texts:
                        texts[-1] += text[start:end]
            styles += [style] * (len(texts) - len(styles))
        return cls(texts, styles)

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, start: int, end: int) -> _Cells:
        """The cells from start to end."""
        return _Cells(self.texts[start:end], self.styles[start:end])

    def reach(self, end: int) -> None:
        """There are cells up to there, of which nothing is known yet."""
        missing = end - len(self)
        self.texts += [_UNKNOWN] * missing
        self.styles += [None] * missing

    def put(self, start: int, cells: _Cells) -> None:
        """Other cells stand from there on."""
        self.texts[start : start + len(cells)] = cells.texts
        self.styles[start : start + len(cells)] = cells.styles

    def is_like(self, other: _Cells) -> bool:
        """It looks the same on every terminal."""
        return self.texts == other.texts and self.styles == other.styles

    def num_sure(self) -> int:
        """How many cells stand before the first character that terminals may think of as wider, or less wide."""
        if _OF_ONE_CELL("".join(self.texts)) and "" not in self.texts:
            return len(self)
        at = next((at for at, text in enumerate(self.texts) if len(text) != 1), len(self))
        return at if at == len(self) or self.texts[at] else max(0, at - 1)


class Painting:
    """What stands on the terminal, as far as it is known."""

    def __init__(self) -> None:
        self._rows: list[_Cells] = []

    def of(self, renderable: Any) -> Any:
        """The same for the terminal, with less to write where only parts of the screen are painted anew."""
        if isinstance(renderable, ChopsUpdate):
            return _Differences(renderable, self)
        return _Whole(renderable, self) if isinstance(renderable, LayoutUpdate) else renderable

    def forget(self) -> None:
        """Something else may have written to the terminal."""
        self._rows = []

    def take(self, update: LayoutUpdate) -> None:
        """All of a region is painted."""
        region = update.region
        self.forget()
        if not region.x and not region.y:  # never seen otherwise of Textual; what is not known is painted
            self._rows = [_Cells.of(_segments(line)) for line in update.strips]

    def difference(self, y: int, x: int, strip: Strip, width: int) -> list[tuple[int, _Cells]]:
        """Where the first `width` cells of a strip at that place differ, and what is there now."""
        new = _Cells.of(strip)
        while width < len(new) and not new.texts[width]:
            width += 1  # the second half of a character whose first is painted
        if width < len(new):
            new = new.part(0, width)
        while y >= len(self._rows):
            self._rows.append(_Cells([], []))
        row = self._rows[y]
        row.reach(x + len(new))
        old = row.part(x, x + len(new))
        if old.is_like(new):
            return []
        row.put(x, new)
        return [(x + start, new.part(start, end)) for start, end in _spans(old, new)]


def _spans(old: _Cells, new: _Cells) -> list[tuple[int, int]]:
    """Stretches that differ, joined where little lies between them.

    What takes another number of cells than one may take yet another on this terminal, and would move all that
    comes after it: where that, or something behind it, differs, everything from it on is written.
    """
    sure = min(old.num_sure(), new.num_sure())
    spans: list[tuple[int, int]] = []
    pairs = enumerate(zip(old.texts, old.styles, new.texts, new.styles, strict=True))
    for at, (text_before, style_before, text, style) in pairs:
        if text == text_before and (style is style_before or style == style_before):
            continue
        start, end = (at, at + 1) if at < sure else (sure, len(new))
        if spans and start - spans[-1][1] <= _NEAR:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        if at >= sure:
            break
    return spans


def _segments(line: Iterable[Strip]) -> Iterable[Segment]:
    return (segment for strip in line for segment in strip)


class _Whole(CompositorUpdate):
    """All of the screen: painted as it is, and known from then on."""

    def __init__(self, update: LayoutUpdate, painting: Painting) -> None:
        self._update, self._painting = update, painting

    def render_segments(self, console: Console) -> str:
        """What is written to the terminal."""
        self._update.strips = [list(line) for line in self._update.strips]
        self._painting.take(self._update)
        return self._update.render_segments(console)


class _Differences(CompositorUpdate):
    """Parts of the screen, of which what is there already is left out."""

    def __init__(self, update: ChopsUpdate, painting: Painting) -> None:
        self._update, self._painting = update, painting

    def render_segments(self, console: Console) -> str:
        """What is written to the terminal."""
        written: list[str] = []
        for y, first, last in self._update.spans:
            pairs = zip(self._update.chop_ends[y], self._update.chops[y].items(), strict=False)
            for end, (x, strip) in pairs:
                if strip is None or x > last or end <= first:
                    continue
                for start, cells in self._painting.difference(y, x, strip, min(end, last) - x):
                    written.append(f"\x1b[{y + 1};{start + 1}H{_sequences(cells, console)}")
        return "".join(written)


def _sequences(cells: _Cells, console: Console) -> str:
    """Cells as text with the codes of their styles."""
    written: list[str] = []
    first, style = 0, cells.styles[0]
    for at, other in enumerate(cells.styles):
        if other is not style and other != style:
            written.append(_styled("".join(cells.texts[first:at]), style, console))
            first, style = at, other
    written.append(_styled("".join(cells.texts[first:]), style, console))
    return "".join(written)


def _styled(text: str, style: Style | None, console: Console) -> str:
    if style is None:
        return text
    return Strip.render_style(style, text, color_system=console._color_system or ColorSystem.TRUECOLOR)
