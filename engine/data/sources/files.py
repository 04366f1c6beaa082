"""Files of yours: text, JSON lines, CSV and Parquet, one of them or a folder of one kind."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.data.documents import DataError, Report
from engine.data.sources.labels import chosen_rows, read_labels
from engine.data.sources.problems import raise_if_stopped, reason
from engine.data.sources.row_progress import rows_reported
from engine.data.sources.spans import each_row, spans_from
from engine.data.sources.stored import StoredDocuments, limited
from presets.schema import DataConfig
from runs.token_caches import TEXT_SUFFIXES, text_files

_BUILDERS = {".txt": "text", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet"}
_FAILURES = (OSError, ValueError, RuntimeError, OverflowError, datasets.exceptions.DatasetsError)
_ROWS_AT_ONCE = 10_000
_CHARACTERS_AT_ONCE = 1 << 20


def open_files(data: DataConfig, report: Report, *, labelled: bool = False) -> StoredDocuments:
    """The file that is named, or all text files below the folder that is named. Raises DataError.

    A `.txt` file with blank lines has one document a block and a row a line, one without has a document a line;
    of the other kinds every row is a document. What is not UTF-8 is replaced.
    labelled: see `open_documents`.
    """
    files, suffix = _found(data)
    if labelled and suffix == ".txt":
        raise DataError(f"{files[0]}: text files have no labels; give a .csv, .jsonl or .parquet file")
    wanted = [data.text_column, data.label_column] if labelled else [data.text_column]
    for path, names in _columns(files, suffix):
        for name in wanted:
            if name not in names:
                has = f"its columns are {', '.join(names)}" if names else "it has no columns"
                raise DataError(f"{path} has no column {name!r}; {has}")
    phase = f"reading {data.dataset}"
    report(phase, 0, 0, "rows")
    with rows_reported(phase, report):
        table = _load(files, suffix, data, wanted)
    if not len(table):
        raise DataError(f"{data.dataset} has no rows")
    column_name = "text" if suffix == ".txt" else data.text_column
    if column_name not in table.column_names:
        names_shown = ", ".join(table.column_names)
        raise DataError(f"{data.dataset} has no column {column_name!r}; its columns are {names_shown}")
    column = table.select_columns([column_name]).with_format("arrow")

    def row_texts(rows: NDArray[np.int64]) -> list[Any]:
        values: list[Any] = column[rows][column_name].to_pylist()
        return values

    if labelled:
        labels = read_labels(table, data, data.dataset, report)
        chosen, labels = chosen_rows(labels, lambda spans: limited(spans, data, data.dataset), data, data.dataset)
        return StoredDocuments(data, row_texts, chosen, labels=labels)
    spans = each_row(len(column))
    if suffix == ".txt":
        spans = _text_spans(files, row_texts, len(column), report)
    return StoredDocuments(data, row_texts, limited(spans, data, data.dataset))


def _found(data: DataConfig) -> tuple[list[Path], str]:
    """The files and the suffix that all of them have. Raises DataError."""
    path = Path(data.dataset).expanduser()
    if not data.dataset.strip() or not path.exists():
        raise DataError(f"{data.dataset!r}: there is no such file or folder")
    files = text_files(data.dataset)
    kinds = Counter(file.suffix.lower() for file in files)
    if not files:
        raise DataError(f"{data.dataset} has no text files ({' '.join(TEXT_SUFFIXES)}), nor have its folders")
    if len(kinds) > 1:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        raise DataError(f"{data.dataset} has files of several kinds ({counts}); name a folder or file of one kind")
    (suffix,) = kinds
    if suffix not in _BUILDERS:
        raise DataError(f"{files[0]}: {suffix or 'no suffix'!r} is none of {' '.join(TEXT_SUFFIXES)}")
    return files, suffix


def _columns(files: Sequence[Path], suffix: str) -> Iterator[tuple[Path, list[str]]]:
    """Each file with its columns, where its kind has a header that tells them. Raises DataError."""
    for path in files:
        try:
            if suffix == ".parquet":
                yield path, pq.read_schema(path).names
            elif suffix == ".csv":
                with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                    yield path, next(csv.reader(file), [])
        except pa.ArrowInvalid as error:
            raise DataError(f"{path} is no Parquet file, or it is cut off: {reason(error)}") from error
        except (OSError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {reason(error)}") from error


def _load(files: Sequence[Path], suffix: str, data: DataConfig, columns: list[str]) -> datasets.Dataset:
    if not any(path.stat().st_size for path in files):
        raise DataError(f"{data.dataset} has no rows")
    try:
        return _read(files, suffix, columns)
    except _FAILURES as error:
        raise_if_stopped(error)
        if "corresponds to no data" in str(error):
            raise DataError(f"{data.dataset} has no rows") from error
        raise _culprit(files, suffix, data, columns, error) from error


def _read(files: Sequence[Path], suffix: str, columns: list[str]) -> datasets.Dataset:
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # our errors tell what its log does
    options: dict[str, Any] = {"encoding": "utf-8-sig", "encoding_errors": "replace"}
    if suffix == ".csv":
        features = datasets.Features({name: datasets.Value("large_string") for name in columns})
        options |= {"usecols": columns, "na_filter": False, "features": features}
    elif suffix == ".parquet":
        options = {"columns": columns}
    filled = [path for path in files if path.stat().st_size]
    return datasets.load_dataset(
        _BUILDERS[suffix],
        _version(filled),
        data_files={"train": [str(path) for path in filled]},
        split="train",
        **options,
    )


def _version(files: Sequence[Path]) -> str:
    """Sizes and times of change of the files as the name of a configuration.

    `datasets` 5.2 knows its copy of local files again by their paths and times alone, and `cp -p` keeps the time.
    """
    parts = [f"{status.st_size} {status.st_mtime_ns}" for status in (path.stat() for path in files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _culprit(
    files: Sequence[Path], suffix: str, data: DataConfig, columns: list[str], error: BaseException
) -> DataError:
    """The error of all files together, told of the file that it comes from."""
    if suffix == ".jsonl":
        for path in files:
            if (problem := _json_problem(path)) is not None:
                return problem
    for path in files if len(files) > 1 else ():
        try:
            _read([path], suffix, columns)
        except _FAILURES as alone:
            raise_if_stopped(alone)
            return DataError(f"{path} cannot be read: {reason(alone)}")
    if len(files) > 1:
        return DataError(f"the files of {data.dataset} do not go together (other columns?): {reason(error)}")
    return DataError(f"{files[0]} cannot be read: {reason(error)}")


def _json_problem(path: Path) -> DataError | None:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(line) if line.strip() else {}
            except ValueError as error:
                return DataError(f"{path}, line {number} is no JSON: {error}")
            if not isinstance(value, dict):
                return DataError(f"{path}, line {number} is no JSON object with columns")
    return None


def _text_spans(files: Sequence[Path], row_texts: Any, num_rows: int, report: Report) -> NDArray[np.int64]:
    """(D, 2) spans: of blocks between blank lines in files that have such, of lines in the others."""
    counts = [count for path in files if (count := _num_lines(path))]
    if sum(counts) != num_rows:
        raise DataError(f"{files[0]}: the files changed while they were read; start again")
    blank = np.zeros(num_rows, dtype=bool)
    for first in range(0, num_rows, _ROWS_AT_ONCE):
        texts = row_texts(np.arange(first, min(first + _ROWS_AT_ONCE, num_rows)))
        blank[first : first + len(texts)] = [not text.strip() for text in texts]
        report("finding documents", first + len(texts), num_rows, "rows")
    found: list[NDArray[np.int64]] = []
    start = 0
    for count in counts:
        found.append(_blocks(blank[start : start + count]) + start)
        start += count
    return np.concatenate(found) if found else each_row(0)


def _blocks(blank: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(D, 2) spans of one file, from which of its lines are blank."""
    if not blank[:-1].any() or blank.all():  # a blank line at the end only ends the file
        return each_row(len(blank))
    begins = ~blank & np.concatenate([[True], blank[:-1]])
    return spans_from(np.flatnonzero(begins).tolist(), len(blank))


def _num_lines(path: Path) -> int:
    """Lines as `datasets` counts them, the last one also without its line break."""
    count, last = 0, "\n"
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        while part := file.read(_CHARACTERS_AT_ONCE):
            count += part.count("\n")
            last = part[-1]
    return count + (last != "\n")
