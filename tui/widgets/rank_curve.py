"""The rank of each word that belongs in a mask, over the run: a curve with rank 1 at the top, in decades."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence

from textual.content import Content

from tui.charts.canvas import DOTS_ACROSS, DOTS_DOWN, Canvas, bits
from tui.probe_words import Rank as Rank
from tui.probe_words import place_words
from tui.probe_words import ranks_of as ranks_of
from tui.safe_text import FAINT, plain, safe_text

_STYLES = ("$text-primary", "$text-accent", "$text-success", "$text-warning", "$text-error", "$foreground")
_SIGNS = "123456789abcdefghijklmnopqrstuvwxyz"
_AXIS, _CURSOR, _FIRST_LINE = 1, 2, 3
_RUNS = re.compile(r"(.)\1*", re.DOTALL)
_LOWEST = 10  # the axis reaches at least so far down


def rank_lines(
    ranks: Sequence[Rank], at: int, steps: tuple[int, int], width: int, height: int, *, only_ascii: bool = False
) -> list[Content]:
    """The curves, and below them a line for each word. at: the step that is shown; steps: the ends of x."""
    if not ranks:
        words = "no probe names the word that belongs in it; B edits them: the united [MASK] => states"
        return [plain(words, width, FAINT)]
    num_words = min(len(ranks), max(1, height // 3))
    lines = _curves(ranks, at, steps, width, height - num_words - 1, only_ascii)
    kept = ranks if len(ranks) == num_words else ranks[: num_words - 1]
    for number, rank in enumerate(kept):
        lines.append(_legend(rank, number, width))
    if len(kept) < len(ranks):
        lines.append(plain(f"… {len(ranks) - len(kept)} more words: z enlarges", width, FAINT))
    return lines


def _legend(rank: Rank, number: int, width: int) -> Content:
    word = rank.last
    stands = f"{place_words(word.rank)} {word.probability:.1%}" if word.rank else "not in the vocabulary"
    pieces = f" (first of {word.num_tokens} tokens)" if word.num_tokens > 1 else ""
    head = f"{_SIGNS[number % len(_SIGNS)]} {safe_text(rank.word, 20)} {stands}{pieces}"
    free = width - len(head) - 2
    return Content.assemble(
        (safe_text(head, width), _STYLES[number % len(_STYLES)]),
        (f"  {safe_text(rank.text, free)}" if free >= 12 else "", FAINT),
    )


def _curves(
    ranks: Sequence[Rank], at: int, steps: tuple[int, int], width: int, height: int, only_ascii: bool
) -> list[Content]:
    """The picture with its two axes, in `height` lines and one for the steps."""
    if height < 3 or width < 24:
        return []
    worst = max((rank for one in ranks for rank in one.ranks), default=1)
    decades = math.log10(max(worst, _LOWEST))
    gutter = max(len("rank"), len(f"{10 ** int(decades + 1e-9):,}"))
    canvas = Canvas(width - gutter - 2, height, only_ascii)
    across, down = canvas.num_columns - 1, canvas.num_dots - 1

    def column(step: float) -> int:
        return round((step - steps[0]) / (steps[1] - steps[0]) * across) if steps[1] > steps[0] else 0

    def dot(rank: float) -> int:
        return round((1 - math.log10(rank) / decades) * down)

    labels = {
        height - 1 - dot(10**decade) // DOTS_DOWN: f"{10**decade:,}" for decade in range(int(decades + 1e-9) + 1)
    }
    for row in labels:
        canvas.behind(row, "." if only_ascii else "┈", _AXIS)
    cursor = [0] * canvas.num_columns
    cursor[column(min(at, steps[1]))] = bits(0, down)
    canvas.add(cursor, _CURSOR, covers=False)
    for number, one in enumerate(ranks):
        style = _FIRST_LINE + number % len(_STYLES)
        canvas.add(_columns(one, canvas.num_columns, column, dot), style)
        if one.steps:
            row = height - 1 - dot(one.ranks[-1]) // DOTS_DOWN
            place = min(column(one.steps[-1]) // DOTS_ACROSS, canvas.width - 1)
            canvas.text(row, place, _SIGNS[number % len(_SIGNS)], style)
    lines = []
    for row, (characters, styles) in enumerate(canvas.rows()):
        label = labels.get(row, "").rjust(gutter)
        axis = "|" if only_ascii else "┤" if row in labels else "│"
        lines.append(Content.assemble((f"{label} {axis}", FAINT), *_pieces(characters, styles)))
    begin, end = f"{steps[0]:,}", f"{steps[1]:,} steps"
    lines.append(plain(f"{'rank':>{gutter}}  {begin}{end:>{canvas.width - len(begin)}}", width, FAINT))
    return lines


def _columns(
    one: Rank, num_columns: int, column: Callable[[float], int], dot: Callable[[float], int]
) -> list[int]:
    columns = [0] * num_columns
    points = [(column(step), dot(rank)) for step, rank in zip(one.steps, one.ranks, strict=True)]
    for place, height in points[:1]:
        columns[place] |= bits(height, height)
    for (left, start), (right, end) in itertools.pairwise(points):
        before = start
        for place in range(left, right + 1):
            now = end if right == left else round(start + (end - start) * (place - left) / (right - left))
            columns[place] |= bits(min(before, now), max(before, now))
            before = now
    return columns


def _pieces(characters: str, styles: str) -> list[Content]:
    """A row of cells as pieces of one style each."""
    pieces = []
    for run in _RUNS.finditer(styles):
        number = ord(run[1]) - _FIRST_LINE
        text = characters[run.start() : run.end()]
        if number >= 0:
            pieces.append(plain(text, style=_STYLES[number]))
        else:
            pieces.append(plain(text, style=FAINT))
    return pieces
