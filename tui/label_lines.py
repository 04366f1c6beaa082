"""How well each label is told apart, as lines of plain characters: figures, and the confusion matrix."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from runs.confusion import LabelScores, label_scores
from runs.events import Evaluated
from tui.safe_text import safe_text

_MOST_COLUMNS = 8
_MOST_ROWS = 40
_NAME, _COLUMN = 20, 9


def label_lines(event: Evaluated) -> list[str]:
    """A table with a row a label; of few labels with the whole matrix, of many with the most frequent mistake.

    event: with a whole confusion matrix (`runs.confusion.last_judged`). Very many labels: those with the least F1.
    """
    scores = label_scores(event.labels, event.confusion)
    num_texts = sum(score.count for score in scores)
    has_matrix = len(scores) <= _MOST_COLUMNS
    order = list(range(len(scores)))
    how = "rows are the truth, columns what was said" if has_matrix else "with what each is mostly mistaken for"
    if len(scores) > _MOST_ROWS:
        order = sorted(order, key=lambda number: _worst_first(scores[number]))[:_MOST_ROWS]
        how += f"; the {_MOST_ROWS} least well told of {len(scores):,}"
    lines = [f"labels of {num_texts:,} validation texts at step {event.step:,}; {how}"]
    figures = f"{'texts':>8} {'precision':>9} {'recall':>7} {'F1':>7}"
    names = [_cell(name, _COLUMN, right=True) for name in event.labels] if has_matrix else []
    lines.append(f"  {'':{_NAME}}  " + " ".join([*names, figures]) + ("" if has_matrix else "  mistaken for"))
    for number in order:
        score = scores[number]
        counts = [f"{value:>{_COLUMN},}" for value in event.confusion[number]] if has_matrix else []
        row = f"{score.count:>8,} {_share(score.precision, 9)} {_share(score.recall, 7)} {_share(score.f1, 7)}"
        mistake = "" if has_matrix or not score.mistaken_for else f"  {_cell(score.mistaken_for, _NAME)}"
        lines.append(f"  {_cell(score.label, _NAME)}  {' '.join([*counts, row])}{mistake}".rstrip())
    return lines


def _worst_first(score: LabelScores) -> tuple[bool, float]:
    return score.f1 is None, score.f1 or 0.0


def _share(value: float | None, width: int) -> str:
    return f"{'–' if value is None else f'{100 * value:.1f} %':>{width}}"


def _cell(text: str, width: int, *, right: bool = False) -> str:
    """Exactly so many cells of the terminal, also for characters that take two; nothing in it can do harm."""
    safe = safe_text(text, 200)
    if cell_len(safe) > width:
        safe = set_cell_size(safe, width - 1) + "…"
    rest = " " * (width - cell_len(safe))
    return rest + safe if right else safe + rest
