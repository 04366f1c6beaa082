"""The labels of a dataset's rows: the names of the classes, and which class each row is of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray

from engine.data.documents import DataError, DocumentLabels, Report
from presets.schema import DataConfig

_ROWS_AT_ONCE = 10_000
_MOST_CLASSES = 1000
_UNLABELLED = -1
_NAMES_SHOWN = 5


def read_labels(table: datasets.Dataset, data: DataConfig, name: str, report: Report) -> DocumentLabels:
    """The label of every row of a table, -1 where it has none. `chosen_rows` then leaves those out.

    A column that tells the names of its classes (the hub's ClassLabel) keeps them and their order. Of others each
    different value is a class, numbers in their order and words in the alphabet's; -1 too, a usual name of a
    sentiment. No label are null, an empty text and, where the classes have names, -1. Raises DataError for a
    column that is not there, holds no classes or too many.
    """
    column = data.label_column
    if column not in table.column_names:
        columns = ", ".join(table.column_names)
        raise DataError(f"{name} has no column {column!r} with labels; its columns are {columns}")
    feature = table.features[column]
    values = _column(table, column, name, report)
    if isinstance(feature, datasets.ClassLabel):
        codes = np.array([_UNLABELLED if value is None else int(value) for value in values], dtype=np.int64)
        _check_number(feature.names, column, name)
        return DocumentLabels(tuple(feature.names), np.maximum(codes, _UNLABELLED))
    keys = [_class_of(value, column, name) for value in values]
    found = sorted({key for key in keys if key is not None}, key=_place)
    _check_number(found, column, name)
    numbers = {key: number for number, key in enumerate(found)}
    codes = np.array([_UNLABELLED if key is None else numbers[key] for key in keys], dtype=np.int64)
    return DocumentLabels(tuple(found), codes)


def chosen_rows(
    labels: DocumentLabels,
    limit: Callable[[NDArray[np.int64]], NDArray[np.int64]],
    data: DataConfig,
    name: str,
) -> tuple[NDArray[np.int64], DocumentLabels]:
    """(D, 2) spans of the labelled rows that are read, each a document, and their labels.

    limit: takes as many of the spans as are wanted. Raises DataError when they are not of two classes at least.
    """
    num_rows = len(labels.codes)
    labelled = np.flatnonzero(labels.codes != _UNLABELLED)
    num_unlabelled = num_rows - len(labelled)
    if not len(labelled):
        split = f" in the split {data.split!r}; choose another, such as train" if data.source == "hub" else ""
        raise DataError(f"{name}: none of {num_rows:,} rows has a label in column {data.label_column!r}{split}")
    spans = limit(np.stack([labelled, labelled + 1], axis=1))
    codes = labels.codes[spans[:, 0]]
    present = np.unique(codes)
    if len(present) < 2:
        (only,) = present.tolist()
        raise DataError(
            f"{name}: all {len(codes):,} rows that are read have the label {labels.names[only]!r}; there is "
            "nothing to tell apart. Read more rows, or look at data.label_column"
        )
    return spans, DocumentLabels(labels.names, codes, num_unlabelled)


def _column(table: datasets.Dataset, column: str, name: str, report: Report) -> list[Any]:
    part = table.select_columns([column]).with_format("arrow")
    values: list[Any] = []
    for first in range(0, len(table), _ROWS_AT_ONCE):
        values += part[first : first + _ROWS_AT_ONCE][column].to_pylist()
        report(f"reading the labels of {name}", len(values), len(table), "rows")
    return values


def _check_number(found: Sequence[str], column: str, name: str) -> None:
    if len(found) > _MOST_CLASSES:
        raise DataError(
            f"{name}: column {column!r} has {len(found):,} different values, such as {_listed(found)}, and at "
            f"most {_MOST_CLASSES:,} classes can be told apart; is it the right data.label_column?"
        )


def _class_of(value: Any, column: str, name: str) -> str | None:
    """The name of the class that a value stands for; None for no label."""
    if value is None or value != value:  # not a number: how tables keep a missing one
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # how tables keep whole numbers of which some are missing
    if isinstance(value, int | str):
        return str(value).strip() or None
    raise DataError(
        f"{name}: column {column!r} holds values such as {str(value)[:40]}, which are no classes; name another "
        "data.label_column"
    )


def _place(key: str) -> tuple[bool, int, str]:
    """Numbers before words, and 9 before 10."""
    is_number = re.fullmatch(r"-?\d{1,18}", key) is not None
    return (not is_number, int(key) if is_number else 0, key)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:30]) for name in names[:_NAMES_SHOWN])
