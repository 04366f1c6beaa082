"""The attention of one head as a map of shades: row t is what token t looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message

from runs.playground import AttentionMap
from tui.safe_text import FAINT, safe_text
from tui.widgets.likely_words import percent
from tui.widgets.lines_pane import LinesPane, fitted, note

SHADES, ASCII_SHADES = " ░▒▓█", " .:+#"
_LABEL = 11


class AttentionPane(LinesPane):
    """← → another head, [ ] another layer, ↑ ↓ the token that looks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "head(-1)", show=False),
        Binding("right", "head(1)", show=False),
        Binding("left_square_bracket", "layer(-1)", show=False),
        Binding("right_square_bracket", "layer(1)", show=False),
    ]

    @dataclass
    class HeadChosen(Message):
        """Another head is wanted; both count from 1."""

        layer: int
        head: int

    def __init__(self, id: str) -> None:
        super().__init__("Attention", id)
        self.shades = SHADES
        self._given: tuple[AttentionMap, ...] = ()
        self._maps: tuple[AttentionMap, ...] = ()

    def show_maps(self, maps: tuple[AttentionMap, ...], words: str) -> None:
        """The map of one model, or of two side by side. words: said instead where there is none."""
        self._given = maps
        self._choose_maps()
        if not maps:
            self.border_subtitle = ""
            self.show([note(words)], ())
            return
        first = maps[0]
        num_rows = max(len(one.tokens) for one in maps)
        rows = [lambda width, row=row: self._row(row, width) for row in range(num_rows)]
        self.show([self._about, self._looks, self._initials], rows)
        num_layers, num_heads = len(first.entropies), len(first.entropies[0])
        self.border_title = f"Attention · layer {first.layer}/{num_layers} · head {first.head}/{num_heads}"
        alone = " · the second model's has no room" if len(self._maps) < len(maps) else ""
        self.border_subtitle = f"←→ head · [ ] layer{alone}"

    def redraw(self) -> None:
        """Draw what is in sight; both maps where both are whole."""
        self._choose_maps()
        super().redraw()

    def _choose_maps(self) -> None:
        self._maps = self._given
        each = self._each(self.content_size.width - 2) if self._given else 0
        if len(self._given) > 1 and any(len(one.tokens) > each - _LABEL for one in self._given):
            self._maps = self._given[:1]

    def action_head(self, by: int) -> None:
        """Another head of the layer."""
        self._choose(0, by)

    def action_layer(self, by: int) -> None:
        """The same head of another layer."""
        self._choose(by, 0)

    def action_move(self, by: int) -> None:
        """Another token looks: what it looks at is told above the map."""
        super().action_move(by)
        self.redraw()

    def _choose(self, by_layer: int, by_head: int) -> None:
        if not self._maps:
            return
        first = self._maps[0]
        layer = max(1, min(first.layer + by_layer, len(first.entropies)))
        head = max(1, min(first.head + by_head, len(first.entropies[0])))
        if (layer, head) != (first.layer, first.head):
            self.post_message(self.HeadChosen(layer, head))

    def _each(self, width: int) -> int:
        """The width of one map."""
        return (width - 3 * (len(self._maps) - 1)) // len(self._maps)

    def _about(self, width: int) -> Content:
        return self._beside([_spread(one, self.shades[-1]) for one in self._maps], width, FAINT)

    def _looks(self, width: int) -> Content:
        return self._beside([_looked_at(one, self.row) for one in self._maps], width, "$text-primary")

    def _beside(self, words: list[str], width: int, style: str) -> Content:
        each = self._each(width)
        return Content.styled(" │ ".join(safe_text(one, each).ljust(each) for one in words).rstrip(), style)

    def _initials(self, width: int) -> Content:
        """The first letters of the tokens that are looked at, over their columns."""
        each = self._each(width - 2)
        lines = []
        for one in self._maps:
            cell, num = _fits(one, each)
            heads = "".join(
                safe_text(token.removeprefix("…").strip("["))[:cell].ljust(cell) for token in one.tokens[:num]
            )
            more = f" +{len(one.tokens) - num}" if num < len(one.tokens) else ""
            lines.append((" " * _LABEL + heads + more).ljust(each))
        return Content.styled("  " + " │ ".join(lines).rstrip(), FAINT)

    def _row(self, row: int, width: int) -> Content:
        each = self._each(width)
        parts: list[tuple[str, str]] = []
        for index, one in enumerate(self._maps):
            if index:
                parts.append((" │ ", FAINT))
            if row >= len(one.tokens):
                parts.append((" " * each, ""))
                continue
            cell, num = _fits(one, each)
            highest = max((max(weights) for weights in one.weights), default=0.0) or 1.0
            parts.append((fitted(one.tokens[row].rjust(_LABEL - 1), _LABEL - 1) + " ", ""))
            shades = "".join(self._shade(weight / highest) * cell for weight in one.weights[row][:num])
            parts.append((shades.ljust(each - _LABEL), "$text-primary"))
        return Content.assemble(*((safe_text(text, 1000), style) for text, style in parts))

    def _shade(self, share: float) -> str:
        """Of the highest weight in the map: nothing below 4 %, full above 70 %."""
        level = sum(share >= limit for limit in (0.04, 0.15, 0.4, 0.7))
        return self.shades[level]


def _fits(one: AttentionMap, width: int) -> tuple[int, int]:
    """How wide each cell is, and how many columns there is room for."""
    num = len(one.tokens)
    room = width - _LABEL
    for cell in (2, 1):
        if num * cell <= room:
            return cell, num
    return 1, max(0, room - 5)


def _spread(one: AttentionMap, full: str) -> str:
    """How many tokens a token of this head looks at, and what full shade stands for."""
    entropy = one.entropies[one.layer - 1][one.head - 1]
    highest = max((max(weights) for weights in one.weights), default=0.0)
    return f"{full} {highest:.0%} · each looks at {math.exp(entropy):.1f} of {len(one.tokens)}"


def _looked_at(one: AttentionMap, row: int) -> str:
    """`people → the 41 %, united 22 %`."""
    if row >= len(one.tokens):
        return ""
    best = sorted(range(len(one.tokens)), key=lambda column: -one.weights[row][column])[:4]
    words = ", ".join(
        f"{safe_text(one.tokens[column], 14)} {percent(one.weights[row][column]).strip()}" for column in best
    )
    return f"{safe_text(one.tokens[row], 14)} → {words}"
