"""Datasets of the Hugging Face hub: found, pinned to a commit, and downloaded or streamed."""

from __future__ import annotations

import logging
from typing import Any

import datasets
import msgspec
import numpy as np
from huggingface_hub.utils.tqdm import disable_progress_bars
from numpy.typing import NDArray

from engine.data.documents import DataError, Documents, Report
from engine.data.sources import hub_downloads, zstandard_files
from engine.data.sources.hub_location import CONVERTED_BRANCH, Location, locate, prepared_copy
from engine.data.sources.hub_problems import OFFLINE_ADVICE, HTTPError, reason
from engine.data.sources.labels import chosen_rows, read_labels
from engine.data.sources.problems import raise_if_stopped
from engine.data.sources.row_progress import rows_reported
from engine.data.sources.spans import DOCUMENT_STARTS, each_row, spans_from
from engine.data.sources.stored import StoredDocuments, limited
from engine.data.sources.streams import StreamedDocuments
from presets.corpora import RowFilter, hub_id, row_filter
from presets.schema import DataConfig

_FAILURES = (OSError, ValueError, RuntimeError, EOFError, datasets.exceptions.DatasetsError, HTTPError)
_ROWS_AT_ONCE = 10_000


def open_hub(data: DataConfig, report: Report, wanted_commit: str = "", *, labelled: bool = False) -> Documents:
    """The split that is named, at the commit its revision stands for now, or at the one that is wanted.

    labelled: see `open_documents`.
    Raises DataError; another dataset, configuration or revision is never taken in its stead.
    """
    if labelled and data.access == "stream":
        raise DataError("the labels of a stream are not known before it is read; choose data.access=download")
    _configure_libraries()
    name = f"{hub_id(data.dataset)} {data.dataset_config}".strip()
    report(f"looking for {name}", 0, 0, "rows")
    location = locate(data)
    if location is None:
        table, commit = _cached(data, name)
        if wanted_commit and commit != wanted_commit:
            raise DataError(
                f"{name}: the hub cannot be reached, and the copy on this machine is another version than "
                f"what is tokenised already ({commit[:8] or 'unknown'}, not {wanted_commit[:8]}). Try later"
            )
        return _stored(data, table, commit, name, report, labelled)
    if wanted_commit:
        location = msgspec.structs.replace(location, commit=wanted_commit)
    builder = _builder(data, location, name)
    _check_split(data, builder, name)
    try:
        if data.access == "stream":
            rows = builder.as_streaming_dataset(split=data.split)
            columns = rows.column_names or list(next(iter(rows), {}))
        else:
            hub_downloads.download(builder, location, name, report)
            table = builder.as_dataset(split=data.split)
            columns = table.column_names
    except _FAILURES as error:
        raise_if_stopped(error)
        again = "Start again to continue the download" if data.access == "download" else "Start again"
        raise DataError(f"{name} could not be read: {reason(error)}. {again}, {OFFLINE_ADVICE}.") from error
    _check_column(data, columns, name)
    if data.access == "download":
        return _stored(data, table, location.commit, name, report, labelled)
    keep = row_filter(data)
    if keep is not None:
        rows = rows.filter(_matches, fn_kwargs={"keep": keep})
    return StreamedDocuments(data, rows.select_columns([data.text_column]), name, location.commit, report=report)


def _configure_libraries() -> None:
    """No bars on a terminal that is not theirs, and no retries on top of `huggingface_hub`'s own 20 s of them."""
    datasets.disable_progress_bars()
    disable_progress_bars()
    datasets.utils.logging.set_verbosity(datasets.utils.logging.CRITICAL)  # our errors tell what their logs do
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    datasets.config.STREAMING_READ_MAX_RETRIES = 1
    datasets.config.STREAMING_READ_RETRY_INTERVAL = 0
    datasets.config.STREAMING_READ_SERVER_UNAVAILABLE_RETRY_INTERVAL = 0
    datasets.config.STREAMING_OPEN_MAX_RETRIES = 1
    datasets.config.STREAMING_OPEN_RETRY_INTERVAL = 0
    zstandard_files.register()


def _builder(data: DataConfig, location: Location, name: str) -> datasets.DatasetBuilder:
    """What makes the rows; its configuration is the one that is named."""
    configuration = data.dataset_config or None
    converted = location.branch == CONVERTED_BRANCH
    try:
        return datasets.load_dataset_builder(
            location.dataset,
            None if converted else configuration,
            data_dir=configuration if converted else None,  # that branch has folders instead of configurations
            revision=location.commit,
        )
    except _FAILURES as error:
        raise_if_stopped(error)
        _check_configuration(data, location, error)
        raise DataError(
            f"{name} could not be opened: {reason(error)}. Check the name and the network, {OFFLINE_ADVICE}."
        ) from error


def _check_configuration(data: DataConfig, location: Location, error: BaseException) -> None:
    if not isinstance(error, ValueError) or location.branch == CONVERTED_BRANCH:
        return
    known = datasets.get_dataset_config_names(location.dataset, revision=location.commit)
    if data.dataset_config not in known:
        has = f"no configuration {data.dataset_config!r}" if data.dataset_config else "several configurations"
        raise DataError(f"{location.dataset} has {has}; choose one of {_listed(known)}") from error


def _check_split(data: DataConfig, builder: datasets.DatasetBuilder, name: str) -> None:
    known = [str(split) for split in builder.config.data_files or ()]
    wanted = [part.split("[")[0].strip() for part in data.split.split("+")]
    missing = [split for split in wanted if known and split not in known]
    if missing:
        raise DataError(f"{name} has no split {missing[0]!r}; its splits are {_listed(known)}")


def _check_column(data: DataConfig, columns: list[str], name: str) -> None:
    if not columns:
        raise DataError(f"{name} has no rows in the split {data.split!r}")
    if data.text_column not in columns:
        raise DataError(f"{name} has no column {data.text_column!r}; its columns are {_listed(columns)}")


def _cached(data: DataConfig, name: str) -> tuple[datasets.Dataset, str]:
    """The dataset as an earlier run prepared it, and its commit; for when the hub is away."""
    copy = prepared_copy(data)
    if copy is None or data.access == "stream":
        what = "a stream cannot be read without it" if copy is not None else "the dataset is not on this machine"
        raise DataError(f"{name}: the hub cannot be reached, and {what}. Check the network, {OFFLINE_ADVICE}.")
    try:
        table = copy.as_dataset(split=data.split)
    except _FAILURES as error:
        raise_if_stopped(error)
        raise DataError(
            f"{name}: the hub cannot be reached, and the copy on this machine cannot be read: {reason(error)}."
        ) from error
    _check_column(data, table.column_names, name)
    return table, str(copy.hash or "")


def _stored(
    data: DataConfig, table: datasets.Dataset, commit: str, name: str, report: Report, labelled: bool
) -> StoredDocuments:
    keep = row_filter(data)
    if keep is not None:
        table = _chosen(table, keep, data, name, report)
    column = table.select_columns([data.text_column]).with_format("arrow")

    def row_texts(rows: NDArray[np.int64]) -> list[Any]:
        values: list[Any] = column[rows][data.text_column].to_pylist()
        return values

    if labelled:
        labels = read_labels(table, data, name, report)
        chosen, labels = chosen_rows(labels, lambda spans: limited(spans, data, name), data, name)
        return StoredDocuments(data, row_texts, chosen, commit, labels=labels)
    start = DOCUMENT_STARTS.get(hub_id(data.dataset))
    if start is None:
        return StoredDocuments(data, row_texts, limited(each_row(len(column)), data, name), commit)
    firsts = [0]
    for first in range(0, len(column), _ROWS_AT_ONCE):
        texts = row_texts(np.arange(first, min(first + _ROWS_AT_ONCE, len(column))))
        firsts += [first + i for i, text in enumerate(texts) if first + i and text and start.match(text)]
        report("finding documents", first + len(texts), len(column), "rows")
    return StoredDocuments(data, row_texts, limited(spans_from(firsts, len(column)), data, name), commit)


def _chosen(
    table: datasets.Dataset, keep: RowFilter, data: DataConfig, name: str, report: Report
) -> datasets.Dataset:
    """The rows that are meant; `datasets` remembers beside its copy which they are."""
    if keep.column not in table.column_names:
        raise DataError(f"{name} has no column {keep.column!r}, which tells the rows of {data.dataset}")
    phase = f"choosing {data.dataset} rows"
    report(phase, 0, len(table), "rows")
    try:
        with rows_reported(phase, report):
            return table.filter(_which_match, fn_kwargs={"keep": keep}, input_columns=[keep.column], batched=True)
    except _FAILURES as error:
        raise_if_stopped(error)
        raise DataError(
            f"the rows of {data.dataset} could not be chosen: {reason(error)}. Start again."
        ) from error


def _which_match(values: list[Any], keep: RowFilter) -> list[bool]:
    return [_matches({keep.column: value}, keep) for value in values]


def _matches(row: dict[str, Any], keep: RowFilter) -> bool:
    value = row.get(keep.column)
    return isinstance(value, dict) and value.get(keep.key) == keep.value


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
