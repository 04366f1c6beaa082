"""The likeliest words for each mask, the next token, or the labels: bars, and a second model beside the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from runs.events import Candidate
from tui.safe_text import FAINT, safe_text
from tui.widgets.lines_pane import LinesPane, fitted, note

_BAR, _EIGHTHS = "█", " ▏▎▍▌▋▊▉"
_GAP = 3


@dataclass(frozen=True)
class LikelyWord:
    """A word of a column. second: of the other model; None where it is not among those that it named."""

    token: str
    first: float | None
    second: float | None = None


@dataclass(frozen=True)
class Column:
    """The words for one mask. least: the smallest probability that each model named."""

    title: str
    words: tuple[LikelyWord, ...]
    has_second: bool = False
    least: tuple[float, float] = (0.0, 0.0)


def merged(title: str, first: Sequence[Candidate], second: Sequence[Candidate] | None = None) -> Column:
    """A column of one model's words, or of two models', those first that either thinks likely."""
    least = (min((one.probability for one in first), default=0.0),)
    if second is None:
        return Column(title, tuple(LikelyWord(one.token, one.probability) for one in first), False, (*least, 0.0))
    ours = {one.token: one.probability for one in first}
    theirs = {one.token: one.probability for one in second}
    tokens = sorted({**ours, **theirs}, key=lambda token: -max(ours.get(token, 0.0), theirs.get(token, 0.0)))
    words = tuple(LikelyWord(token, ours.get(token), theirs.get(token)) for token in tokens)
    return Column(title, words, True, (*least, min(theirs.values(), default=0.0)))


class LikelyWords(LinesPane):
    """A column for each mask; ← → choose the mask, ↑ ↓ the word."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "other_mask(-1)", show=False),
        Binding("right", "other_mask(1)", show=False),
    ]

    def __init__(self, id: str) -> None:
        super().__init__("Likely words", id)
        self.place = 0
        self.columns: tuple[Column, ...] = ()

    @property
    def chosen(self) -> LikelyWord | None:
        """The word under the cursor."""
        words = self.columns[self.place].words if self.place < len(self.columns) else ()
        return words[self.row] if self.row < len(words) else None

    def show_columns(self, columns: tuple[Column, ...]) -> None:
        """Take what the models say; the mask and the row that were chosen stay chosen."""
        if len(columns) != len(self.columns):
            self.place = max(0, min(self.place, len(columns) - 1))
            self.row = 0
        self.columns = columns
        self._lay_out()

    def show_words(self, words: Sequence[str]) -> None:
        """Say something instead of words."""
        self.columns = ()
        self.place = 0
        self.show([note(line) for line in words], ())

    def action_other_mask(self, by: int) -> None:
        """Choose another mask."""
        place = max(0, min(self.place + by, len(self.columns) - 1))
        if place != self.place:
            self.place = place
            self._lay_out()
            self.post_message(self.Moved(self, self.row))

    def clicked_at(self, column: int) -> None:
        """The mask whose words were clicked."""
        seen, each = self._in_sight(self.content_size.width)
        if seen:
            self.place = seen[min(len(seen) - 1, max(0, column - 2) // (each + _GAP))]

    def _lay_out(self) -> None:
        longest = max((len(column.words) for column in self.columns), default=0)
        if self.place < len(self.columns):  # the cursor moves in the chosen column
            longest = len(self.columns[self.place].words)
        rows = [partial(self._row, row) for row in range(longest)]
        self.show([self._titles], rows)

    def _in_sight(self, width: int) -> tuple[list[int], int]:
        """The masks that there is room for, with the chosen one among them, and how wide each is."""
        num = len(self.columns)
        if not num:
            return [], 0
        least = 40 if self.columns[0].has_second else 28
        fits = max(1, min(num, (width - 2 + _GAP) // (least + _GAP)))
        begin = max(0, min(self.place - fits // 2, num - fits))
        return list(range(begin, begin + fits)), (width - 2 + _GAP) // fits - _GAP

    def _titles(self, width: int) -> Content:
        seen, each = self._in_sight(width)
        parts: list[Content | str | tuple[str, str]] = ["  "]
        for index in seen:
            is_chosen = index == self.place
            title = safe_text(self.columns[index].title, each)
            marks = ("‹ " if index == seen[0] and seen[0] else "") + title
            if index == seen[-1] and index + 1 < len(self.columns):
                marks = marks[: each - 2] + " ›"
            parts.append((marks[:each].ljust(each), "bold $text-primary" if is_chosen else FAINT))
            parts.append(" " * _GAP)
        return Content.assemble(*parts)

    def _row(self, row: int, width: int) -> Content:
        seen, each = self._in_sight(width + 2)
        parts: list[Content | str | tuple[str, str]] = []
        for index in seen:
            column = self.columns[index]
            if row < len(column.words):
                is_dim = index != self.place
                parts.append(_word(column.words[row], column, each, is_dim))
            else:
                parts.append(" " * each)
            parts.append(" " * _GAP)
        return Content.assemble(*parts)


def bar(share: float, width: int) -> str:
    """A bar of at most `width` cells, in eighths of a cell; what is not nothing is never empty."""
    eighths = round(min(1.0, max(0.0, share)) * width * 8)
    eighths = max(eighths, 1) if share > 0 else eighths
    full, rest = divmod(eighths, 8)
    return (_BAR * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def percent(share: float | None, least: float = 0.0) -> str:
    """Six characters: ` 31.0%`, ` <0.1%` for what is smaller than can be told."""
    if share is None:
        return f"{'<' + _short(least):>6}"
    return f"{share:6.1%}" if share >= 0.0005 else " <0.1%"


def _short(least: float) -> str:
    return f"{max(least, 0.001):.1%}"


def _word(word: LikelyWord, column: Column, width: int, is_dim: bool) -> Content:
    tail = 7 + (16 if column.has_second else 0)
    room = max(6, min(18, (width - tail) // 2))
    bar_width = max(2, width - room - tail - 1)
    if column.has_second:
        bar_width = max(2, (width - room - 1 - 7 - 3 - 7) // 2)
    token = fitted(word.token, room)
    parts: list[tuple[str, str]] = [
        (token + " ", FAINT if is_dim else ""),
        (bar(word.first or 0.0, bar_width), "$text-primary"),
        (percent(word.first, column.least[0]) + " ", FAINT if is_dim else ""),
    ]
    if column.has_second:
        parts += [
            ("│ ", FAINT),
            (bar(word.second or 0.0, bar_width), "$text-secondary"),
            (percent(word.second, column.least[1]), FAINT if is_dim else ""),
        ]
    line = Content.assemble(*((safe_text(text, 200), style) for text, style in parts))
    return line.pad_right(max(0, width - line.cell_length)) if line.cell_length < width else line
