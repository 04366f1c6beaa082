"""What a confusion matrix says of each label: precision, recall, F1, and what it is mostly mistaken for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from runs.events import Evaluated, Event

Confusion = Sequence[Sequence[int]]
"""(C, C) counts; rows are the truth, columns what was said."""


class LabelScores(msgspec.Struct, frozen=True):
    """One label. count: texts that have it. said: texts that were given it.

    precision: share of the said ones that are right, None where it was never said. recall: share of the texts that
    were found, None where there is none. f1: their harmonic mean, None where the label is neither there nor said.
    mistaken_for: the wrong answer that its texts got most often, empty where none did.
    """

    label: str
    count: int
    said: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: str = ""


def last_judged(events: Iterable[Event]) -> Evaluated | None:
    """The newest evaluation with a whole confusion matrix. events: oldest first."""
    judged = None
    for event in events:
        if isinstance(event, Evaluated) and _is_whole(event):
            judged = event
    return judged


def label_scores(labels: Sequence[str], confusion: Confusion) -> tuple[LabelScores, ...]:
    """Of each label, in their order. labels: the names of the matrix's rows."""
    scores: list[LabelScores] = []
    for number, (label, row, f1) in enumerate(zip(labels, confusion, class_f1(confusion), strict=True)):
        right, count, said = row[number], sum(row), sum(other[number] for other in confusion)
        precision, recall = right / said if said else None, right / count if count else None
        scores.append(LabelScores(label, count, said, precision, recall, f1, _mistaken_for(labels, row, number)))
    return tuple(scores)


def class_f1(confusion: Confusion) -> tuple[float | None, ...]:
    """F1 of each label, 2·TP / (2·TP + FP + FN); None where it is neither there nor ever said."""
    found: list[float | None] = []
    for label in range(len(confusion)):
        true = sum(confusion[label])
        said = sum(row[label] for row in confusion)
        found.append(2 * confusion[label][label] / (true + said) if true + said else None)
    return tuple(found)


def macro_f1(confusion: Confusion) -> float:
    """The mean of `class_f1` over the labels that are there or said; 0 when nothing was scored."""
    values = [value for value in class_f1(confusion) if value is not None]
    return sum(values) / max(1, len(values))


def _is_whole(event: Evaluated) -> bool:
    """Whether there is a matrix, square and with a name for each row; a file may hold anything."""
    size = len(event.confusion)
    return size > 0 and len(event.labels) == size and all(len(row) == size for row in event.confusion)


def _mistaken_for(labels: Sequence[str], row: Sequence[int], label: int) -> str:
    wrong = [(number, -other) for other, number in enumerate(row) if other != label and number]
    return labels[-max(wrong)[1]] if wrong else ""
